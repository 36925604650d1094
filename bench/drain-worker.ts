import type { ModelTask } from '../test/sim/aws/ports.ts'
import type { Send } from '../test/sim/network.ts'
import type { SimProcess } from '../test/sim/scheduler.ts'
import type { Random } from '../test/support/random.ts'
import { heartbeatTimes } from '../worker/heartbeat.ts'
import { openRecord } from '../worker/job-record.ts'

export type DrainWorkerPorts = {
  process: SimProcess
  send: Send
  random: Random
  exit(code: number): void
}

/**
 * A worker to whom nothing ever happens, with the real record of the worker: it claims, beats as often as a worker whose
 * percentage always moves, confirms once before its manifest, reports and exits.
 */
export function startDrainWorker(task: ModelTask, workMs: number, ports: DrainWorkerPorts): void {
  const { clock } = ports.process
  const fence = task.environment.FENCE ?? ''
  const patience = {
    forMs: 0,
    signal: new AbortController().signal,
    nowMs: clock.nowMs,
    random: ports.random.next,
  }
  const record = openRecord({
    table: 'jobs',
    jobId: task.environment.JOB_ID ?? '',
    fence,
    taskArn: task.arn,
    client: { send: ports.send as never },
  })
  const now = (): string => new Date(clock.nowMs()).toISOString()

  async function work(): Promise<void> {
    await record.claim(patience)
    const untilMs = clock.monotonicMs() + workMs
    let beat = 0
    let waitMs: number = heartbeatTimes.firstMs
    while (clock.monotonicMs() + waitMs < untilMs) {
      await clock.sleep(waitMs)
      waitMs = heartbeatTimes.everyMs
      beat += 1
      await record.progress({ beat, stage: 'encode', percent: Math.min(99, beat * 10), at: now() })
    }
    await clock.sleep(untilMs - clock.monotonicMs())
    await record.patientProgress({ beat: beat + 1, stage: 'publish', percent: 99, at: now() }, patience)
    await record.report({ fence, outcome: 'done', exitCode: 0, at: now() }, patience)
    ports.exit(0)
  }
  // A refused write is a task that another one has replaced: it ends, and the tally shows the second attempt.
  void work().catch(() => ports.exit(76))
}
