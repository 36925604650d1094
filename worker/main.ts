import { readEnvironment, type WorkerEnvironment } from './environment.ts'
import { asWorkerError, WorkerError } from './errors.ts'
import { loggable, openLog } from './log.ts'
import type { Storage } from './storage.ts'

/** The worker: one task for one launch of one job. Its exit code says how it went (schemas/exit-codes.ts). */
const main = async (): Promise<number> => {
  const log = openLog({ jobId: process.env.JOB_ID, fence: process.env.FENCE })
  const shutdown = new AbortController()
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => shutdown.abort(new WorkerError('INTERRUPTED', `it got ${signal}`)))
  process.on('uncaughtException', (thrown) => {
    const error = asWorkerError(thrown)
    log.fatal(loggable(error), 'worker broke')
    process.exit(error.exitCode)
  })
  try {
    const environment = readEnvironment(process.env)
    // The version floor of the SDK is looked after in package.json; its warning would stand in every log.
    process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true'
    const [{ runTask }, { handlers }, { openTable }] = await Promise.all([
      import('./task.ts'),
      import('./kinds/index.ts'),
      import('./clients.ts'),
    ])
    return await runTask({
      environment,
      table: openTable(environment),
      openStorage: () => openStorageHere(environment),
      handlers,
      shutdown: shutdown.signal,
      log,
      nowMs: Date.now,
      random: Math.random,
    })
  } catch (thrown) {
    const error = asWorkerError(thrown)
    log.fatal(loggable(error), error.message)
    return error.exitCode
  }
}

const openStorageHere = async (environment: WorkerEnvironment): Promise<Storage> => {
  const [client, { openStorage }] = await Promise.all([
    import('./clients.ts').then(({ openS3Client }) => openS3Client(environment)),
    import('./storage.ts'),
  ])
  return openStorage({
    client,
    outputsBucket: environment.OUTPUTS_BUCKET,
    patience: { forMs: 60_000, nowMs: Date.now, random: Math.random },
  })
}

process.exit(await main())
