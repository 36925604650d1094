import pino from 'pino'
import { createLog } from '../controller/log.ts'
import { type Controller, startController } from '../controller/start.ts'
import { CannotStart, localCredentials, startLocalAws } from '../local/main.ts'
import type { Configuration } from '../schemas/configuration.ts'
import { exitCodes } from '../schemas/exit-codes.ts'

/** Settings of a controller that works against the local AWS, where nobody set another one. */
export const localController = (configuration: Configuration, endpoint: string): Configuration => ({
  ...configuration,
  AWS_ENDPOINT_URL: endpoint,
  SUBNETS: configuration.SUBNETS.length > 0 ? configuration.SUBNETS : ['subnet-local'],
})

/** The SDK looks for credentials in the environment of the process; here they are those of the local AWS. */
export function useLocalCredentials(): void {
  process.env.AWS_ACCESS_KEY_ID = localCredentials.accessKeyId
  process.env.AWS_SECRET_ACCESS_KEY = localCredentials.secretAccessKey
  delete process.env.AWS_SESSION_TOKEN
  delete process.env.AWS_PROFILE
  // The SDK announces on every start what it will need in 2027; whoever starts this can do nothing about it.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'
}

export type System = { endpoint: string; controller: Controller; close(): Promise<void> }

/** The whole system on this machine: local AWS and controller. What cannot start says why in one sentence, exit 78. */
export async function startSystem(
  configuration: Configuration,
  options: { quiet: boolean },
): Promise<System> {
  useLocalCredentials()
  const log = options.quiet ? pino({ level: 'warn' }) : createLog(configuration, process.stdout.isTTY)
  try {
    const aws = await startLocalAws(configuration, log.child({ part: 'local-aws' }))
    const controller = await startController(localController(configuration, aws.endpoint), log).catch(
      async (error: unknown) => {
        await aws.close()
        throw error
      },
    )
    return {
      endpoint: aws.endpoint,
      controller,
      async close() {
        await controller.stop()
        await aws.close()
      },
    }
  } catch (error) {
    if (!(error instanceof CannotStart)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exit(exitCodes.badConfiguration)
  }
}

/** Ends in order on the first signal, at once on the second. */
export function closeOnSignal(close: () => Promise<void>): void {
  let closing = false
  const end = (): void => {
    if (closing) process.exit(exitCodes.interrupted)
    closing = true
    close().then(
      () => process.exit(exitCodes.done),
      (error: unknown) => {
        process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
        process.exit(exitCodes.internalError)
      },
    )
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
}
