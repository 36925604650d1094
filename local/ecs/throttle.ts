export type BucketSize = { burst: number; perSecond: number }
export type Bucket = { tokens: number; atMs: number }

/**
 * Takes `count` tokens from a token bucket that started full, or none at all. Pure: the bucket after the attempt comes back.
 * ECS throttles this way (ECS API reference, "Request throttling").
 */
export function take(
  bucket: Bucket | undefined,
  size: BucketSize,
  count: number,
  nowMs: number,
): { bucket: Bucket; taken: boolean } {
  const refilled = bucket
    ? Math.min(size.burst, bucket.tokens + (Math.max(0, nowMs - bucket.atMs) * size.perSecond) / 1_000)
    : size.burst
  const taken = refilled >= count
  return { bucket: { tokens: taken ? refilled - count : refilled, atMs: nowMs }, taken }
}

/** The buckets by name, kept in memory: a restart fills them, as a quiet minute would. */
export function createThrottle<Name extends string>(
  sizes: Record<Name, BucketSize>,
  enabled: boolean,
  nowMs: () => number,
): { allows(name: Name, count?: number): boolean } {
  const buckets = new Map<Name, Bucket>()
  return {
    allows(name, count = 1) {
      if (!enabled) return true
      const { bucket, taken } = take(buckets.get(name), sizes[name], count, nowMs())
      buckets.set(name, bucket)
      return taken
    },
  }
}
