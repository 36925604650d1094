import type { Pacer } from '../admit/pacer.ts'
import type { Clock } from '../clock.ts'
import type { Runner } from '../run/ecs.ts'
import type { Memory } from './memory.ts'

type Asked = { jobId: string; resolve: () => void; reject: (error: unknown) => void }

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
  let gathered = new Map<string, Asked[]>()

  const send = async (): Promise<void> => {
    const batch = [...gathered].slice(0, describeAtMost)
    gathered = new Map([...gathered].slice(describeAtMost))
    if (gathered.size > 0) void send()
    try {
      await pacer.take()
      const looks = await runner.describe(batch.map(([arn]) => arn))
      for (const [arn, asked] of batch)
        for (const { jobId, resolve } of asked) {
          memory.learn(jobId, arn, looks.get(arn))
          resolve()
        }
    } catch (error) {
      for (const [, asked] of batch) for (const { reject } of asked) reject(error)
    }
  }

  const lookAtTask = (jobId: string, arn: string): Promise<void> =>
    new Promise((resolve, reject) => {
      if (gathered.size === 0) clock.after(gatherMs, () => void send())
      gathered.set(arn, [...(gathered.get(arn) ?? []), { jobId, resolve, reject }])
    })

  return {
    /** Looks at every known task of a job. */
    async look(jobId: string): Promise<void> {
      await Promise.all(memory.arnsOf(jobId).map((arn) => lookAtTask(jobId, arn)))
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
      const looks = await Promise.allSettled(before.map(({ jobId, arn }) => lookAtTask(jobId, arn)))
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
