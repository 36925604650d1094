import { pathToFileURL } from 'node:url'
import type { Configuration } from '../schemas/configuration.ts'
import { exitCodes } from '../schemas/exit-codes.ts'
import { loadConfiguration } from '../schemas/read-configuration.ts'
import { ControllerError } from './errors.ts'
import { createLog } from './log.ts'
import { type StartOptions, startController } from './start.ts'

const drainMs = 10_000

/** The process: runs until SIGTERM or SIGINT, then ends what is under way within ten seconds. */
export async function main(configuration: Configuration, options: StartOptions = {}): Promise<void> {
  // The SDK announces on every start what it will need in 2027; whoever starts this can do nothing about it.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'
  const log = createLog(configuration, process.stdout.isTTY)
  const starting = startController(configuration, log, options)
  // A signal that comes while it starts counts, too: it may hold the lease already.
  const end = (signal: NodeJS.Signals): void => {
    log.info({ signal }, 'ending what is under way')
    const tooLong = setTimeout(() => process.exit(exitCodes.internalError), drainMs)
    starting
      .then((controller) => controller.stop())
      .then(
        () => {
          clearTimeout(tooLong)
          process.exit(exitCodes.done)
        },
        (error: unknown) => {
          log.error({ err: error }, 'could not end in order')
          process.exit(exitCodes.internalError)
        },
      )
  }
  process.once('SIGTERM', end)
  process.once('SIGINT', end)
  try {
    await starting
  } catch (error) {
    if (!(error instanceof ControllerError)) throw error
    process.stderr.write(`${error.code}: ${error.message} ${error.whatToDo}\n`)
    process.exit(exitCodes.badConfiguration)
  }
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  await main(loadConfiguration())
