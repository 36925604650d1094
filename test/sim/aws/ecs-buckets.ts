import type { BucketName } from './ecs-records.ts'

/** Burst and refill per second (ECS API reference, "Request throttling"; developer guide, "Fargate throttling"). */
const sizes: Record<BucketName, { burst: number; perSecond: number }> = {
  runAndStop: { burst: 100, perSecond: 40 },
  describeAndList: { burst: 100, perSecond: 20 },
  readDefinitions: { burst: 50, perSecond: 20 },
  fargateRunTask: { burst: 20, perSecond: 20 },
  onDemand: { burst: 100, perSecond: 20 },
  spot: { burst: 100, perSecond: 20 },
}

/** One token out of a bucket by name, or a refusal. Buckets start full. */
export function createBuckets(nowMs: () => number): (name: BucketName) => boolean {
  const buckets = new Map<BucketName, { tokens: number; atMs: number }>()
  return (name) => {
    const { burst, perSecond } = sizes[name]
    const atMs = nowMs()
    const bucket = buckets.get(name) ?? { tokens: burst, atMs }
    const tokens = Math.min(burst, bucket.tokens + ((atMs - bucket.atMs) * perSecond) / 1_000)
    const isThere = tokens >= 1
    buckets.set(name, { tokens: isThere ? tokens - 1 : tokens, atMs })
    return isThere
  }
}
