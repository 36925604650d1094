import type { taskEnvironmentSchema } from './environment.ts'

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
    internetFamily: `${prefix}worker-internet`,
    seedingFamily: `${prefix}worker-seeding`,
    controllerFamily: `${prefix}controller`,
    logGroup: `${prefix}tasks`,
    controllerLogGroup: `${prefix}controller`,
    controllerRepository: `${prefix}controller`,
    workerRepository: `${prefix}worker`,
  }) as const

export type ResourceNames = ReturnType<typeof resourceNames>

/** Buckets share one namespace with everybody's, so theirs have account and region in them. */
export const bucketNames = (installation: string, accountId: string, region: string) =>
  ({
    uploads: `${installation}-${accountId}-${region}-uploads`,
    outputs: `${installation}-${accountId}-${region}-outputs`,
  }) as const

/** Where pipelines keep in the outputs bucket what only their steps need, until they have ended. */
export const workPrefix = 'work/'

/** Amazon Transcribe writes this file to try its access to a bucket. */
export const accessCheckFile = '.write_access_check_file.temp'

/** What the names of our jobs at Amazon Transcribe begin with (`transcriptionJobName`); no installation has a dot in its name. */
export const transcriptionPrefix = (installation: string): string => `${installation}.`

export const workerContainer = 'worker'
export const controllerContainer = 'controller'
export const logStreamPrefix = 'task'

/** Which image runs is kept in the account, so that a deployment from any machine means the same one. */
export const imageParameters = (installation: string) =>
  ({
    controller: `/${installation}/images/controller`,
    worker: `/${installation}/images/worker`,
  }) as const

/** What an image parameter holds until the first image is there. */
export const noImage = 'none'

/**
 * Tasks of our worker, by what they may reach (`group` of a kind). The size is what a task definition must have; every job
 * brings its own, so one definition does for all sizes.
 */
export const workerGroups = {
  media: { family: 'workerFamily', cpu: 2048, memoryMiB: 4096 },
  internet: { family: 'internetFamily', cpu: 256, memoryMiB: 512 },
  seeding: { family: 'seedingFamily', cpu: 512, memoryMiB: 1024 },
} as const satisfies Record<string, { family: keyof ResourceNames; cpu: number; memoryMiB: number }>

export type WorkerGroup = keyof typeof workerGroups

/** What is the same for a worker on one machine and on AWS, in the words of RegisterTaskDefinition. */
export const workerTaskDefinition = (group: WorkerGroup, place: WorkerPlace) =>
  ({
    family: place.family,
    networkMode: 'awsvpc',
    requiresCompatibilities: ['FARGATE'],
    cpu: String(workerGroups[group].cpu),
    memory: String(workerGroups[group].memoryMiB),
    container: {
      name: place.container,
      essential: true,
      environment: environmentList({
        JOBS_TABLE: place.jobsTable,
        OUTPUTS_BUCKET: place.outputsBucket,
        AWS_REGION: place.region,
        ...(place.privateSources === '' ? {} : { PRIVATE_SOURCES: place.privateSources }),
        ...(group === 'seeding' ? { SEEDING_PORT: String(place.seedingPort ?? 0) } : {}),
      } satisfies Partial<Record<keyof typeof taskEnvironmentSchema.shape, string>>),
      // The most that Fargate gives (ECS API reference, ContainerDefinition), and all that a Spot warning leaves.
      stopTimeout: 120,
      logConfiguration: {
        logDriver: 'awslogs',
        options: {
          'awslogs-group': place.logGroup,
          'awslogs-region': place.region,
          'awslogs-stream-prefix': logStreamPrefix,
        },
      },
    },
  }) as const

export type WorkerPlace = {
  family: string
  container: string
  jobsTable: string
  outputsBucket: string
  logGroup: string
  region: string
  /** As in the configuration: separated by commas, or empty. */
  privateSources: string
  /** Only of the group `seeding`, which there is only where a port was chosen. */
  seedingPort: number | undefined
}

/** Variables as ECS wants them. */
export const environmentList = (variables: Readonly<Record<string, string>>) =>
  Object.entries(variables).map(([name, value]) => ({ name, value }))

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
 * again, and that must not drive good ones into the dead-letter queue. Age counts from the first queue (SQS developer guide,
 * dead-letter queues), so the dead-letter queue keeps longest: what goes there at the last moment still has four days to be looked at.
 */
export const queueSettings = {
  jobs: { visibilityTimeoutS: 60, retentionS: 10 * 86_400, maxReceiveCount: 200 },
  jobsDlq: { visibilityTimeoutS: 30, retentionS: 14 * 86_400 },
  taskEvents: { visibilityTimeoutS: 300, retentionS: 4 * 86_400, maxReceiveCount: 200 },
} as const

/** A page of any origin may PUT with a presigned URL; the ETag is what it needs to confirm the upload. */
export const uploadsCors = {
  allowedMethods: ['PUT', 'GET', 'HEAD'],
  allowedOrigins: ['*'],
  allowedHeaders: ['*'],
  exposeHeaders: ['ETag'],
  maxAgeSeconds: 3000,
} as const

/** Of every new object, whatever its name: suffix filters of S3 know upper and lower case, uploads do not care. */
export const uploadsNotification = { id: 'uploads-to-jobs', events: ['s3:ObjectCreated:*'] } as const

/** Files that the system itself writes next to outputs. */
export const manifestName = 'manifest.json'

/** Of every job whose outputs are there whole: the manifest is written last. Only where a trigger rule is about outputs. */
export const outputsNotification = {
  id: 'outputs-to-jobs',
  events: uploadsNotification.events,
  suffix: `/${manifestName}`,
} as const

/** Metadata of a manifest: the kind of its job, so that nobody has to read it to know. */
export const manifestKindMetadata = 'kind'
