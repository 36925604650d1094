import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { systemClock } from '../controller/clock.ts'
import { createMemory } from '../controller/reconcile/memory.ts'
import { lookAt, type RawTask } from '../controller/run/answers.ts'
import { createWorkqueue } from '../controller/workqueue.ts'
import { formatFence, formatStartedBy, makeUid } from '../schemas/ids.ts'
import type { Job } from '../schemas/job.ts'
import { running, taskArn } from '../test/support/job.ts'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** Bytes of the heap that are in use, once all garbage is gone. */
export function heapUsed(): number {
  collectGarbage()
  collectGarbage()
  return process.memoryUsage().heapUsed
}

export type LeaderMemory = { memoryBytes: number; workqueueBytes: number }

/**
 * What a leader keeps for each live job, measured: its memory with one look at the job's task, and the wake-up that waits
 * in the workqueue. Records and answers come from JSON, as they come over the wire, and are gone when it is measured.
 */
export async function leaderMemoryPerJob(jobs: number): Promise<LeaderMemory> {
  const indexes = Array.from({ length: jobs }, (_, index) => index)
  // Code and shapes that are made once are no cost of a job.
  track(createMemory(systemClock, 360_000), [0, 1, 2])

  const memory = createMemory(systemClock, 360_000)
  const emptyBytes = heapUsed()
  track(memory, indexes)
  const trackedBytes = heapUsed()

  const workqueue = createWorkqueue({
    work: () => Promise.resolve(),
    onError: () => undefined,
    clock: systemClock,
    concurrency: 32,
    maxKeys: 200_000,
  })
  // The key is the id as the memory has it.
  const keys = [...memory.unread(0)]
  const readyBytes = heapUsed()
  for (const jobId of keys) workqueue.add(jobId, 120_000)
  const queuedBytes = heapUsed()
  await workqueue.stop()
  // Both have to be in use up to here, else there would be nothing to measure.
  if (memory.liveCount() !== jobs || keys.length !== jobs) throw new Error('Not every job is tracked')
  return {
    memoryBytes: (trackedBytes - emptyBytes) / jobs,
    workqueueBytes: (queuedBytes - readyBytes) / jobs,
  }
}

function track(memory: ReturnType<typeof createMemory>, indexes: readonly number[]): void {
  for (const index of indexes) {
    const job = recordOf(index)
    memory.track(job)
    const look = lookAt(taskOf(job), systemClock.nowMs())
    memory.learn(job.jobId, look.arn, look)
  }
}

const overTheWire = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T

function recordOf(index: number): Job {
  const jobId = `job-${String(index).padStart(6, '0')}`
  const uid = makeUid(jobId, index.toString(36).padStart(12, '0'))
  const arn = taskArn(index.toString(16))
  const fence = formatFence({ uid, attempt: 1, launch: 1 })
  return overTheWire(
    running({ jobId, uid, fence, taskArn: arn, claim: { taskArn: arn, at: '2026-11-22T10:00:30.000Z' } }),
  )
}

function taskOf({ jobId, uid, taskArn: arn }: Job): RawTask {
  const startedBy = formatStartedBy('bench', jobId, { uid, attempt: 1, launch: 1 })
  return overTheWire({
    taskArn: arn ?? '',
    lastStatus: 'RUNNING',
    desiredStatus: 'RUNNING',
    startedBy,
    version: 4,
    createdAt: '2026-11-22T10:00:01.000Z',
    startedAt: '2026-11-22T10:00:25.000Z',
  })
}
