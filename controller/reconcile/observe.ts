import type { Pacer } from '../admit/pacer.ts'
import type { Clock } from '../clock.ts'
import type { Runner } from '../run/ecs.ts'
import type { Memory } from './memory.ts'

type Asked = { jobId: string; resolve: () => void; reject: (error: unknown) => void }
/** Who waits for a look, by ARN. */
type Line = Map<string, Asked[]>

export type Observer = ReturnType<typeof createObserver>

const describeAtMost = 100
// Long enough for wake-ups that come together to share a call, short enough that nobody notices.
const gatherMs = 20

/**
 * Looks at tasks with DescribeTasks, up to 100 in one call: looks asked for at about the same time share it. What is seen
 * goes into the leader's memory before the promise resolves, so a record read afterwards is never older than the look.
 */
export function createObserver(
  runner: Runner,
  pacer: Pacer,
  memory: Memory,
  clock: Clock,
  onError: (error: unknown) => void,
) {
  // A job that waits for its look holds up others; a poll holds up nobody.
  const wanted: Line = new Map()
  const polled: Line = new Map()

  /** Tokens are scarcer than looks: a batch is made up when there is one, so that all who wait meanwhile share it. */
  const send = async (): Promise<void> => {
    await pacer.take()
    const batch: Line = new Map()
    for (const line of [wanted, polled])
      for (const [arn, asked] of line) {
        if (batch.size >= describeAtMost && !batch.has(arn)) break
        batch.set(arn, [...(batch.get(arn) ?? []), ...asked])
        line.delete(arn)
      }
    if (wanted.size + polled.size > 0) void send()
    try {
      const looks = await runner.describe([...batch.keys()])
      for (const [arn, asked] of batch)
        for (const { jobId, resolve } of asked) {
          memory.learn(jobId, arn, looks.get(arn))
          resolve()
        }
    } catch (error) {
      for (const [, asked] of batch) for (const { reject } of asked) reject(error)
    }
  }

  const lookAtTask = (jobId: string, arn: string, line: Line): Promise<void> =>
    new Promise((resolve, reject) => {
      if (wanted.size + polled.size === 0) clock.after(gatherMs, () => void send())
      line.set(arn, [...(line.get(arn) ?? []), { jobId, resolve, reject }])
    })

  return {
    /** Looks at every known task of a job. */
    async look(jobId: string): Promise<void> {
      await Promise.all(memory.arnsOf(jobId).map((arn) => lookAtTask(jobId, arn, wanted)))
    },

    /**
     * Looks at every task that is known to live.
     * @returns the jobs for which something changed since the last look
     */
    async poll(): Promise<string[]> {
      const before = [...memory.tasks()].map(({ jobId, arn }) => ({
        jobId,
        arn,
        was: signature(memory, jobId),
      }))
      // A call that failed leaves its tasks as they were; the others have news all the same.
      const looks = await Promise.allSettled(before.map(({ jobId, arn }) => lookAtTask(jobId, arn, polled)))
      const failed = looks.find((look) => look.status === 'rejected')
      if (failed) onError(failed.reason)
      return before
        .filter(({ jobId, arn, was }) => signature(memory, jobId) !== was || !memory.isCurrent(jobId, arn))
        .map(({ jobId }) => jobId)
    },
  }
}

const signature = (memory: Memory, jobId: string): string => {
  const { look, missingSinceMs } = memory.watched(jobId) ?? {}
  return `${look?.lastStatus}/${look?.desiredStatus}/${missingSinceMs}`
}
