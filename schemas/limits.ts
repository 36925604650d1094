/**
 * Every bound and default that the record, the controller and the worker share.
 * Durations that users write are seconds (suffix `S`); everything the code waits for is milliseconds (suffix `Ms`).
 */

export const jobIdPattern = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/
export const installationPattern = /^[a-z0-9][a-z0-9-]{0,15}$/
export const queueNamePattern = /^[a-z0-9][a-z0-9-]{0,31}$/

const minuteS = 60
const hourS = 60 * minuteS
const dayS = 24 * hourS

/** Bounds of `spec`. A number outside of them is refused at acceptance, with the bound in the message. */
export const specBounds = {
  priority: { min: 0, max: 9 },
  attempts: { min: 1, max: 50 },
  infrastructureAttempts: { min: 0, max: 100 },
  startTimeoutS: { min: 10, max: hourS },
  attemptTimeoutS: { min: 1, max: 13 * dayS }, // AWS retires Fargate hosts; no task should expect more than 14 days.
  deadlineS: { min: 1, max: 30 * dayS },
  heartbeatTimeoutS: { min: 15, max: hourS },
  backoffS: { min: 0, max: hourS },
  ttlAfterFinishedS: { min: 0, max: 365 * dayS },
  cpu: { min: 256, max: 32_768 },
  memoryMiB: { min: 512, max: 249_856 },
  ephemeralStorageGiB: { min: 21, max: 200 },
  policyRules: 20,
  labels: 20,
  paramsBytes: 16_384,
  paramsDepth: 20,
} as const

/** What applies when neither the job nor its kind says otherwise. */
export const specDefaults = {
  queue: 'default',
  priority: 0,
  attempts: 3,
  infrastructureAttempts: 10,
  startTimeoutS: 10 * minuteS,
  attemptTimeoutS: 6 * hourS,
  deadlineS: 7 * dayS,
  heartbeatTimeoutS: 2 * minuteS,
  backoffInitialS: 10,
  backoffMaxS: 10 * minuteS,
  ttlAfterFinishedS: 30 * dayS,
} as const

/** How much of its own past a record keeps: the whole item is paid for with every heartbeat. */
export const recordLimits = {
  attemptsKept: 50,
  historyKept: 20,
  messageCharacters: 500,
  tombstoneS: 15 * dayS,
} as const

/** Times of the launch protocol. A client token protects for 24 h, so a replay inside 45 min is always covered. */
export const launchTimes = {
  replayUntilMs: 45 * minuteS * 1000,
  listPassFromMs: 50 * minuteS * 1000,
  replayBackoffMaxMs: 60_000,
  claimTimeoutMs: 5 * minuteS * 1000,
  stopAgainMs: 30_000,
} as const

/** Our own pace, per second, well under the account's buckets (ECS API reference, request throttling). */
export const callRates = {
  runTask: 20,
  stopTask: 20,
  describeTasks: 14,
  listTasks: 6,
  /** GetTranscriptionJob: 30/s by default, and pages of the API have named less. */
  getTranscription: 10,
} as const

/** How long each priority step moves a job forward in its line: a waiting job ages past it, so nothing starves. */
export const priorityBonusMs = 10 * minuteS * 1000

/** A job that has been first in line for this long lets nothing overtake it any more. */
export const overtakenAtMostMs = 10 * minuteS * 1000

/** RunTask refuses container overrides that are longer (ECS API reference, RunTask). */
export const overridesCharactersMax = 8192
