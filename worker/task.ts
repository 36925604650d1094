import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { UpdateCommand, UpdateCommandOutput } from '@aws-sdk/lib-dynamodb'
import type { Logger } from 'pino'
import { exitCodes } from '../schemas/exit-codes.ts'
import type { Report } from '../schemas/job.ts'
import { recordLimits } from '../schemas/limits.ts'
import type { Manifest } from '../schemas/manifest.ts'
import { maskSecrets } from '../schemas/problems.ts'
import { manifestKindMetadata, manifestName } from '../schemas/resources.ts'
import type { Sender } from './aws.ts'
import { type Ending, watchForEnd } from './ending.ts'
import type { WorkerEnvironment } from './environment.ts'
import { asWorkerError, type ErrorCode, WorkerError } from './errors.ts'
import { type Heartbeat, heartbeatTimes, startHeartbeat } from './heartbeat.ts'
import { readTaskArn } from './identity.ts'
import {
  type JobRecord,
  openRecord,
  parseAssignment,
  type RetryOptions,
  type Standing,
} from './job-record.ts'
import type { Finished, KindHandler } from './kinds/handler.ts'
import { loggable } from './log.ts'
import { findStale, removeStale } from './stale.ts'
import type { Storage } from './storage.ts'

export type TaskPorts = {
  environment: WorkerEnvironment
  table: Sender<UpdateCommand, UpdateCommandOutput>
  /** Called once the job is ours: a task that is fenced out needs no storage. */
  openStorage: () => Promise<Storage>
  handlers: Record<string, () => Promise<KindHandler>>
  /** Given on SIGTERM, with the reason as an error of the catalogue. */
  shutdown: AbortSignal
  log: Logger
  nowMs: () => number
  random: () => number
}

/** How long a service may fail to answer before that becomes the outcome. */
const patienceMs = { identity: 30_000, claim: 60_000, confirm: 60_000, report: 60_000, lastWords: 20_000 }

/**
 * One task from claim to report. It works only while the record says that it may: whatever else is written about the job
 * is conditional on its fence and its claim.
 * @returns the exit code of the process
 */
export const runTask = async (ports: TaskPorts): Promise<number> => {
  const { log, shutdown } = ports
  try {
    const { record, item } = await claim(ports)
    return await workOn(ports, record, item)
  } catch (thrown) {
    // Nothing was claimed, so nothing can be reported: the exit code is all there is to say.
    const error = asWorkerError(shutdown.aborted ? shutdown.reason : thrown)
    log.error(loggable(error), 'not claimed')
    return error.exitCode
  }
}

const claim = async (ports: TaskPorts): Promise<{ record: JobRecord; item: unknown }> => {
  const { environment, table, shutdown, log } = ports
  const metadataUri = environment.ECS_CONTAINER_METADATA_URI_V4
  const taskArn = await readTaskArn(metadataUri, patience(ports, patienceMs.identity, shutdown))
  const record = openRecord({
    table: environment.JOBS_TABLE,
    jobId: environment.JOB_ID,
    fence: environment.FENCE,
    taskArn,
    client: table,
  })
  const item = await record.claim(patience(ports, patienceMs.claim, shutdown))
  log.info({ taskArn }, 'claimed')
  return { record, item }
}

const workOn = async (ports: TaskPorts, record: JobRecord, item: unknown): Promise<number> => {
  const { log, shutdown, nowMs } = ports
  const ending = watchForEnd(shutdown)
  const heartbeat = startHeartbeat({
    ...heartbeatTimes,
    nowMs,
    write: (progress) => record.progress(progress),
    writePatiently: (progress) =>
      record.patientProgress(progress, patience(ports, patienceMs.confirm, ending.signal)),
    onRefused: (error) => ending.now(error),
    onMissed: (error) => log.warn(loggable(error), 'heartbeat missed'),
  })
  const outcome = await inScratch(ports, (scratch) => carryOut(ports, item, scratch, heartbeat, ending))
    .then((result): Outcome => ({ outcome: 'done', exitCode: exitCodes.done, result }))
    .catch((thrown: unknown) =>
      failureOf(asWorkerError(ending.signal.aborted ? ending.signal.reason : thrown), log),
    )
  await heartbeat.stop()
  ending.close()
  return outcome.exitCode === exitCodes.fencedOut ? outcome.exitCode : tellController(ports, record, outcome)
}

type Outcome = Omit<Report, 'fence' | 'at'>

/** The work itself, then the proof that it is still ours, then the manifest: what stands in no manifest is not finished. */
const carryOut = async (
  ports: TaskPorts,
  item: unknown,
  scratch: string,
  heartbeat: Heartbeat<Standing>,
  { signal, inOrder }: Ending,
): Promise<Finished['result']> => {
  const { environment, handlers, nowMs, log } = ports
  const { kind: named, settings } = parseAssignment(item)
  // The kind that the job was accepted with; what stands in the record beside it may have been edited since.
  const kind = settings.kind ?? named
  const load = Object.hasOwn(handlers, kind) ? handlers[kind] : undefined
  if (load === undefined) throw new WorkerError('KIND_UNKNOWN', kind)
  const [handler, storage] = await Promise.all([load(), ports.openStorage()])
  signal.throwIfAborted()
  const { files, result, split } = await handler({
    settings,
    environment,
    storage,
    scratch,
    signal,
    tell: heartbeat.tell,
    endInOrder: inOrder,
    confirm: () => heartbeat.confirm(),
    nowMs,
    log,
  })
  if (split !== undefined) {
    log.info({ split }, 'split')
    return { split }
  }
  const manifest: Manifest = {
    schemaVersion: 1,
    jobId: environment.JOB_ID,
    ...(settings.parent === undefined ? {} : { parent: settings.parent }),
    kind,
    fence: environment.FENCE,
    finishedAt: new Date(nowMs()).toISOString(),
    files,
  }
  const manifestKey = `${settings.output}${manifestName}`
  const stale = await findStale(storage, manifestKey, manifest, settings.output, { signal, log })
  await heartbeat.confirm({ stage: 'publish', percent: 100 })
  if (stale.length > 0) {
    // Before the new manifest: after a crash in between, the old one still names what is left, and the next attempt removes
    // it. The other way round, nobody would know of it any more.
    await removeStale(storage, stale, { signal, log })
    // That may have taken its time, and the proof has to stand right before the manifest.
    await heartbeat.confirm({ stage: 'publish', percent: 100 })
  }
  await storage.uploadText(`${JSON.stringify(manifest, null, 2)}\n`, manifestKey, signal, {
    [manifestKindMetadata]: kind,
  })
  log.info({ files: files.length }, 'manifest written')
  return result
}

/** An own folder for temporary files, removed whatever happens. */
const inScratch = async <T>({ environment }: TaskPorts, use: (scratch: string) => Promise<T>): Promise<T> => {
  const scratch = await makeScratch(environment.WORK_DIR)
  try {
    return await use(scratch)
  } finally {
    await rm(scratch, { recursive: true, force: true, maxRetries: 3 }).catch(() => undefined)
  }
}

const makeScratch = async (workDir: string): Promise<string> => {
  try {
    await mkdir(workDir, { recursive: true })
    return await mkdtemp(join(workDir, 'job-'))
  } catch (error) {
    throw new WorkerError('ENVIRONMENT_INVALID', `WORK_DIR cannot be written: ${String(error)}`, error)
  }
}

/** What somebody may have tried on purpose: an input that points elsewhere under another name, an address that is not theirs. */
const securityCodes: readonly ErrorCode[] = ['INPUT_FORMAT_REFUSED', 'URL_REFUSED']

const failureOf = (error: WorkerError, log: Logger): Outcome => {
  // A field of its own, so that whoever watches need not know the codes.
  const security = securityCodes.includes(error.code) ? { security: true } : {}
  log.error({ ...loggable(error), ...security }, 'not done')
  return {
    outcome: error.code === 'INTERRUPTED' ? 'interrupted' : 'failed',
    exitCode: error.exitCode,
    code: error.code,
    message: maskSecrets(error.message).slice(0, recordLimits.messageCharacters),
  }
}

/** The report, and with it the exit code: without a report that was taken, nothing is done. */
const tellController = async (ports: TaskPorts, record: JobRecord, outcome: Outcome): Promise<number> => {
  const { environment, nowMs, log } = ports
  const forMs = outcome.outcome === 'interrupted' ? patienceMs.lastWords : patienceMs.report
  const at = new Date(nowMs()).toISOString()
  try {
    await record.report(
      { fence: environment.FENCE, ...outcome, at },
      // Never cut short: SIGTERM leaves more time than this takes.
      patience(ports, forMs, new AbortController().signal),
    )
    log.info({ outcome: outcome.outcome, exitCode: outcome.exitCode }, 'reported')
    return outcome.exitCode
  } catch (thrown) {
    const error = asWorkerError(thrown)
    log.error(loggable(error), 'report not taken')
    return error.code === 'FENCED_OUT' || outcome.outcome === 'done' ? error.exitCode : outcome.exitCode
  }
}

const patience = ({ nowMs, random, log }: TaskPorts, forMs: number, signal: AbortSignal): RetryOptions => ({
  forMs,
  signal,
  nowMs,
  random,
  onRetry: (error, waitMs) => log.warn({ ...loggable(asWorkerError(error)), waitMs }, 'trying again'),
})
