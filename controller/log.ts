import { type Logger, pino } from 'pino'
import pretty from 'pino-pretty'
import type { Configuration } from '../schemas/configuration.ts'

export type { Logger } from 'pino'

/** JSON lines for machines, one readable line each on a terminal. Tokens never reach either. */
export function createLog(
  configuration: Pick<Configuration, 'LOG_LEVEL' | 'LOG_FORMAT'>,
  isTerminal: boolean,
): Logger {
  const readable =
    configuration.LOG_FORMAT === 'pretty' || (configuration.LOG_FORMAT === 'auto' && isTerminal)
  const options = {
    level: configuration.LOG_LEVEL,
    base: null,
    redact: ['authorization', 'headers.authorization', 'req.headers.authorization', '*.secretAccessKey'],
  }
  // On a terminal the message says it all; the fields are for machines.
  return readable
    ? pino(
        options,
        pretty({ translateTime: 'HH:MM:ss.l', ignore: 'jobId,action,reason', singleLine: true, sync: true }),
      )
    : pino(options)
}
