import { createHash } from 'node:crypto'
import type { Failure, TokenRecord } from './records.ts'

export type TokenRules = { lifetimeMs: number; afterStopMs: number; failuresOnlyMs: number }
export type TokenVerdict =
  | { kind: 'fresh' }
  | { kind: 'replay'; taskArns: readonly string[]; failures: readonly (Failure | Record<string, never>)[] }
  | { kind: 'conflict'; resourceIds: readonly string[] }

/**
 * What a clientToken that comes (again) means. It lives for the lower of 24 h and one hour beyond the last of its tasks;
 * within that, the same parameters get the first answer, failures included, and others a conflict that names the tasks
 * (ECS API reference, "Ensuring idempotency"). Failures older than an hour come back as a number of empty entries.
 *
 * `lastStoppedMs` is when the last of its tasks stopped, null while one lives.
 */
export function judgeToken(
  record: TokenRecord | undefined,
  fingerprint: string,
  lastStoppedMs: number | null,
  nowMs: number,
  rules: TokenRules,
): TokenVerdict {
  if (record === undefined || nowMs >= expiresMs(record, lastStoppedMs, rules)) return { kind: 'fresh' }
  if (record.fingerprint !== fingerprint) return { kind: 'conflict', resourceIds: record.taskArns }
  const failures =
    nowMs - record.usedMs < rules.afterStopMs ? record.failures : record.failures.map(() => ({}))
  return { kind: 'replay', taskArns: record.taskArns, failures }
}

function expiresMs(record: TokenRecord, lastStoppedMs: number | null, rules: TokenRules): number {
  if (record.taskArns.length === 0) return record.usedMs + rules.failuresOnlyMs
  const expiry = record.usedMs + rules.lifetimeMs
  return lastStoppedMs === null ? expiry : Math.min(expiry, lastStoppedMs + rules.afterStopMs)
}

/** A token belongs to its cluster: the same one in another cluster is another request. */
export const tokenKey = (cluster: string, token: string): string => `${cluster} ${token}`

/** The same for the same parameters, whatever order their fields came in. */
export function fingerprintOf(request: object): string {
  return createHash('sha256').update(JSON.stringify(request, inKeyOrder)).digest('hex')
}

const inKeyOrder = (_key: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1)))
    : value
