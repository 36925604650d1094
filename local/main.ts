import { realpathSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import pino, { type Logger } from 'pino'
import pretty from 'pino-pretty'
import type { Configuration } from '../schemas/configuration.ts'
import { exitCodes } from '../schemas/exit-codes.ts'
import { loadConfiguration } from '../schemas/read-configuration.ts'
import { type LocalAws, startLocalAws } from './aws.ts'
import { CannotStart } from './cannot-start.ts'
import { localCredentials } from './credentials.ts'

export { type LocalAws, type LocalAwsOptions, startLocalAws } from './aws.ts'
export { CannotStart } from './cannot-start.ts'
export { localCredentials } from './credentials.ts'

/** `npm run local`: the local AWS in a process of its own, until SIGTERM or SIGINT. */
const main = async (): Promise<void> => {
  // The SDK says on every start what it will need in 2027; nobody who starts this can do anything about it.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'
  const configuration = loadConfiguration()
  const log = logger(configuration)
  const aws = await startLocalAws(configuration, log).catch((error: unknown) => {
    if (!(error instanceof CannotStart)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exit(exitCodes.badConfiguration)
  })
  process.stdout.write(summary(aws, configuration))
  endOnSignal(aws, log)
}

const logger = ({ LOG_LEVEL, LOG_FORMAT }: Configuration): Logger => {
  const isPretty = LOG_FORMAT === 'pretty' || (LOG_FORMAT === 'auto' && process.stdout.isTTY)
  const options = { level: LOG_LEVEL, base: { process: 'local-aws' } }
  return isPretty
    ? pino(options, pretty({ ignore: 'process', translateTime: 'SYS:HH:MM:ss' }))
    : pino(options)
}

const summary = ({ endpoint }: LocalAws, configuration: Configuration): string => `
  Local AWS   ${endpoint}   S3, SQS, DynamoDB, ECS on Fargate, Transcribe, CloudWatch Logs
  Data        ${resolve(configuration.LOCAL_DATA_DIR)}   (queued messages live in memory: they end with this process)
  Use it      export AWS_ENDPOINT_URL=${endpoint} AWS_REGION=${configuration.AWS_REGION} AWS_DEFAULT_REGION=${configuration.AWS_REGION}
              export AWS_ACCESS_KEY_ID=${localCredentials.accessKeyId} AWS_SECRET_ACCESS_KEY=${localCredentials.secretAccessKey}
              aws --endpoint-url ${endpoint} s3 cp wedding.mp4 s3://${configuration.UPLOADS_BUCKET}/

`

/** The first signal ends everything in order, a second one at once. */
const endOnSignal = (aws: LocalAws, log: Logger): void => {
  let isEnding = false
  const end = (signal: NodeJS.Signals) => {
    if (isEnding) process.exit(exitCodes.interrupted)
    isEnding = true
    log.info({ signal }, 'ending: tasks first, then services')
    aws.close().then(
      () => process.exit(exitCodes.done),
      (error: unknown) => {
        log.error({ err: error }, 'not everything could be ended')
        process.exit(exitCodes.internalError)
      },
    )
  }
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
}

const isProgram =
  process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)

if (isProgram) await main()
