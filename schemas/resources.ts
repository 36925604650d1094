/**
 * Names and shapes of everything the system stands on, in one place: local provisioning, the infrastructure and the code
 * read them from here.
 */

/** The names of one installation. `prefix` is empty on one machine and `<installation>-` on AWS. */
export const resourceNames = (prefix = '') =>
  ({
    jobsTable: `${prefix}jobs`,
    controlTable: `${prefix}control`,
    jobsQueue: `${prefix}jobs`,
    jobsDlq: `${prefix}jobs-dlq`,
    taskEventsQueue: `${prefix}task-events`,
    uploadsBucket: `${prefix}uploads`,
    outputsBucket: `${prefix}outputs`,
    cluster: `${prefix}jobs`,
    workerFamily: `${prefix}worker`,
    logGroup: `${prefix}tasks`,
  }) as const

export const workerContainer = 'worker'
export const logStreamPrefix = 'task'

/** Both indexes are KEYS_ONLY: they give candidates, the record itself is read consistently before anything is done. */
export const jobsTableShape = {
  key: 'jobId',
  indexes: {
    phase: { name: 'phase-index', hash: 'phase', range: 'createdAt', rangeType: 'S' },
    backlog: { name: 'backlog-index', hash: 'backlogQueue', range: 'rank', rangeType: 'N' },
  },
  ttlAttribute: 'expiresAt',
} as const

export const controlTableShape = { key: 'id' } as const

/** The line in the backlog index that jobs in back-off stand in; no queue may have this name. */
export const dueLine = '~due'

/**
 * `maxReceiveCount` is high on purpose: while the table does not answer, messages are received and returned again and
 * again, and that must not drive good ones into the dead-letter queue.
 */
export const queueSettings = {
  jobs: { visibilityTimeoutS: 60, retentionS: 4 * 86_400, maxReceiveCount: 200 },
  jobsDlq: { visibilityTimeoutS: 30, retentionS: 14 * 86_400 },
  taskEvents: { visibilityTimeoutS: 300, retentionS: 86_400, maxReceiveCount: 200 },
} as const

/** Files that the system itself writes next to outputs. */
export const manifestName = 'manifest.json'
