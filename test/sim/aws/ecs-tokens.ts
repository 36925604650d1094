import type { RunTaskCommandInput } from '@aws-sdk/client-ecs'
import { conflict } from './ecs-errors.ts'
import type { Failure, TokenRecord, World } from './ecs-records.ts'
import { apiView, stoppedTaskView } from './ecs-view.ts'

const dayMs = 86_400_000
const hourMs = 3_600_000

/**
 * What a clientToken that was used before answers; undefined when it is new, or so old that it counts as new again: it lives
 * for the lower of 24 h and one hour beyond the stop of its task, and then the same request starts another one (ECS API
 * reference, "Ensuring idempotency").
 * @throws ConflictException when the parameters are others
 */
export function answerAgain(
  world: World,
  token: string | undefined,
  fingerprint: string,
): object | undefined {
  const record = token === undefined ? undefined : world.tokens.get(token)
  const nowMs = world.ports.time.nowMs()
  if (record === undefined || nowMs >= expiresAtMs(record)) return undefined
  const { answer } = record
  const isSame = record.fingerprint === fingerprint
  switch (answer.is) {
    case 'task':
      if (!isSame) throw conflict([answer.task.arn])
      return {
        tasks: [
          answer.task.lastStatus === 'STOPPED'
            ? stoppedTaskView(answer.task)
            : apiView(answer.task, world.settings.cluster, nowMs),
        ],
        failures: [],
      }
    case 'failures':
      if (!isSame) throw conflict([])
      // Failures that are older than an hour come back as a number of empty entries.
      return {
        tasks: [],
        failures: answer.failures.map(
          (failure): Failure => (nowMs - record.usedAtMs < hourMs ? failure : {}),
        ),
      }
    case 'refused':
      // An error ties its token to nothing, but what caused it has not changed.
      if (!isSame) return undefined
      throw answer.error()
    default:
      throw answer satisfies never
  }
}

/** The same for the same parameters, whatever order their fields came in. The token and its cluster are not among them. */
export function fingerprintOf({ clientToken, cluster, ...parameters }: RunTaskCommandInput): string {
  return JSON.stringify(parameters, inKeyOrder)
}

function expiresAtMs({ usedAtMs, answer }: TokenRecord): number {
  const stoppedAtMs = answer.is === 'task' ? answer.task.stoppedAtMs : undefined
  return Math.min(
    usedAtMs + dayMs,
    stoppedAtMs === undefined ? Number.POSITIVE_INFINITY : stoppedAtMs + hourMs,
  )
}

const inKeyOrder = (_key: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1)))
    : value
