import { type Logger, pino } from 'pino'
import { maskSecrets } from '../schemas/problems.ts'
import type { WorkerError } from './errors.ts'

/** JSON lines on stdout, written at once: a task that is killed has said everything it knew. */
export const openLog = (bindings: Record<string, unknown>): Logger =>
  pino({ base: bindings, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ fd: 1, sync: true }))

/** An error as it may be logged: presigned addresses are masked, answers of AWS are left out. */
export const loggable = (error: WorkerError): Record<string, unknown> => ({
  code: error.code,
  exitCode: error.exitCode,
  message: maskSecrets(error.message),
  ...(error.code === 'INTERNAL_ERROR' ? { stack: maskSecrets(stackOf(error)) } : {}),
})

const stackOf = (error: Error): string =>
  (error.cause instanceof Error ? error.cause.stack : error.stack) ?? error.message
