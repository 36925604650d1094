import type { Report } from '../../schemas/job.ts'
import { type JobRecord, openRecord } from '../../worker/job-record.ts'
import type { Random } from '../support/random.ts'
import type { ModelTask } from './aws/ports.ts'
import type { Faults } from './faults.ts'
import type { Send } from './network.ts'
import { type Assigned, type Work, workOf } from './results.ts'
import type { SimProcess } from './scheduler.ts'

/** What a simulated worker tells of itself, at the moment it happens. */
export type WorkerEvents = {
  onClaimed(task: ModelTask): void
  onRefused(task: ModelTask): void
  /** It wrote an object that is not to stay. */
  onTemporary(key: string): void
  /** The process is gone, in whatever way. */
  onGone(task: ModelTask): void
}

export type WorkerPorts = {
  process: SimProcess
  send: Send
  random: Random
  faults: Faults
  events: WorkerEvents
  outputsBucket: string
  /** Whether a job may be found too long for one task. */
  maySplit: boolean
  exit(exitCode: number, reason?: string): void
}

export type SimWorker = {
  terminate(): void
  kill(): void
}

const beatMs = 10_000
const isTranscriber = ({ environment }: ModelTask): boolean => environment.MEDIA_KEY !== undefined
const oomReason = 'OutOfMemoryError: container killed due to memory usage'

/**
 * The worker of one task: it claims, beats and reports with the real record of the worker, and goes wrong in all the ways
 * that workers go wrong. A container of a user does none of it and only exits.
 */
export function startWorker(task: ModelTask, claims: boolean, ports: WorkerPorts): SimWorker {
  const { process, random, faults, events } = ports
  const clock = process.clock
  let isOver = false
  let isTerminated = false
  let made: Work | undefined
  const ending = new AbortController()

  const gone = (): void => {
    if (isOver) return
    isOver = true
    process.kill()
    events.onGone(task)
  }
  const exit = (code: number, reason?: string): void => {
    if (isOver) return
    gone()
    ports.exit(code, reason)
  }

  const record = openRecord({
    table: 'jobs',
    jobId: task.environment.JOB_ID ?? '',
    fence: task.environment.FENCE ?? '',
    taskArn: task.arn,
    client: { send: ports.send as never },
  })
  // The transcriber of a pipeline takes its time, so that its parent has something to end.
  const workMs = random.pick([500, 3000, 20_000, 60_000, isTranscriber(task) ? 900_000 : 240_000])
  // Drawn before anything else happens, so that the same task has the same fate however calls interleave.
  const fate = drawEnding(faults, random)

  async function work(): Promise<void> {
    await clock.sleep(random.below(1500))
    if (!claims) {
      await clock.sleep(workMs, ending.signal)
      if (isTerminated) return
      return leave(fate)
    }
    if (faults.strikes('workerNeverClaims')) return
    const assigned = await claim()
    if (assigned === undefined) return exit(isTerminated ? 143 : 76)
    events.onClaimed(task)
    made = workOf(assigned, ports, random)
    if (made?.temporaryKey !== undefined) events.onTemporary(made.temporaryKey)
    if (faults.strikes('workerHangs')) return
    const held = await beatFor(record, workMs)
    if (isTerminated) return
    if (!held) return exit(76)
    await leave(fate)
  }

  /** @returns the record; undefined: the claim was refused */
  async function claim(): Promise<Assigned | undefined> {
    for (let tries = 0; tries < 12; tries += 1) {
      try {
        const answer = await record.claim({
          forMs: 0,
          signal: ending.signal,
          nowMs: clock.nowMs,
          random: random.next,
        })
        return (answer ?? {}) as Assigned
      } catch (error) {
        if (isTerminated || (error as { code?: string }).code === 'FENCED_OUT') {
          events.onRefused(task)
          return undefined
        }
        await clock.sleep(5000)
      }
    }
    return undefined
  }

  /** @returns false when another task holds the job */
  async function beatFor(held: JobRecord, forMs: number): Promise<boolean> {
    let beat = 0
    const untilMs = clock.monotonicMs() + forMs
    do {
      const waitMs = Math.min(beatMs, untilMs - clock.monotonicMs())
      await clock.sleep(Math.max(0, waitMs), ending.signal)
      if (isTerminated) return true
      beat += 1
      const at = new Date(clock.nowMs()).toISOString()
      const refused = await held.progress({ beat, at }).then(
        () => false,
        (error: unknown) => (error as { code?: string }).code === 'FENCED_OUT',
      )
      if (refused) return false
    } while (clock.monotonicMs() < untilMs)
    return true
  }

  async function report(outcome: Report['outcome'], exitCode: number): Promise<boolean> {
    const at = new Date(clock.nowMs()).toISOString()
    const result = outcome === 'done' && made ? { result: made.result } : {}
    const value = { fence: task.environment.FENCE ?? '', outcome, exitCode, at, ...result }
    for (let tries = 0; tries < 6; tries += 1) {
      try {
        await record.report(value, {
          forMs: 0,
          signal: new AbortController().signal,
          nowMs: clock.nowMs,
          random: random.next,
        })
        return true
      } catch (error) {
        if ((error as { code?: string }).code === 'FENCED_OUT') return false
        await clock.sleep(5000)
      }
    }
    return false
  }

  async function leave(how: Ending): Promise<void> {
    if (how.is === 'killed') return exit(how.code, how.reason)
    if (!claims) return exit(how.is === 'done' ? 0 : how.code)
    if (how.is === 'silent') return exit(how.code)
    const code = how.is === 'done' ? 0 : how.code
    const taken = await report(how.is === 'done' ? 'done' : 'failed', code)
    if (taken && faults.strikes('workerLivesOnAfterReport')) return
    if (taken && faults.strikes('workerDiesAfterReport')) return exit(137)
    await clock.sleep(random.below(1000))
    exit(taken ? code : 69)
  }

  void work()

  return {
    terminate() {
      if (isTerminated || isOver) return
      if (faults.strikes('workerIgnoresSigterm')) return
      isTerminated = true
      ending.abort()
      if (faults.strikes('exit0OnSigterm')) {
        clock.after(500, () => exit(0))
        return
      }
      clock.after(200, () => {
        if (!claims) return exit(143)
        void report('interrupted', 143).then(() => exit(143))
      })
    },
    kill: gone,
  }

  type Ending = ReturnType<typeof drawEnding>
  function drawEnding(from: Faults, by: Random) {
    if (from.strikes('outOfMemory')) return { is: 'killed', code: 137, reason: oomReason } as const
    if (from.strikes('exit0WithoutReport')) return { is: 'silent', code: 0 } as const
    if (from.strikes('exitUnknown')) return { is: 'silent', code: by.pick([1, 139, 255]) } as const
    if (from.strikes('outOfMemoryReported')) return { is: 'failed', code: 137 } as const
    if (from.strikes('exitFail')) return { is: 'failed', code: by.pick([65, 66, 77, 78]) } as const
    if (from.strikes('exitRetry')) return { is: 'failed', code: by.pick([69, 70, 75]) } as const
    return { is: 'done' } as const
  }
}
