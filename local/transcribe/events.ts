import { randomUUID } from 'node:crypto'
import type { Clock } from '../ecs/index.ts'
import type { Faults } from './faults.ts'
import type { JobRecord } from './records.ts'

/** An EventBridge event (Transcribe developer guide, "Monitoring with EventBridge"); `time` has whole seconds. */
export function jobStateChange(
  job: JobRecord,
  from: { id: string; account: string; region: string; nowMs: number },
): Record<string, unknown> {
  return {
    version: '0',
    id: from.id,
    'detail-type': 'Transcribe Job State Change',
    source: 'aws.transcribe',
    account: from.account,
    time: `${new Date(from.nowMs).toISOString().slice(0, 19)}Z`,
    region: from.region,
    resources: [],
    detail: {
      TranscriptionJobName: job.name,
      TranscriptionJobStatus: job.status,
      ...(job.failureReason === undefined ? {} : { FailureReason: job.failureReason }),
    },
  }
}

export type Publisher = { publish(job: JobRecord): void; close(): Promise<void> }

/** Best effort, as on AWS: an event is sent once, after the state it tells of is on disk. Faults drop, double and delay. */
export function createPublisher(options: {
  account: string
  region: string
  clock: Clock
  faults: Faults
  emit: (event: object) => Promise<void>
  onError: (error: unknown) => void
}): Publisher {
  const { clock, faults } = options
  let tail: Promise<void> = Promise.resolve()
  const timers = new Set<() => void>()
  const send = (event: object) => {
    tail = tail.then(() => options.emit(event)).catch(options.onError)
  }

  return {
    publish: (job) => {
      if (faults.strike('dropEvent')) return
      const { account, region } = options
      const event = jobStateChange(job, { id: randomUUID(), account, region, nowMs: clock.nowMs() })
      const delay = faults.strike('delayEvent')
      if (delay) {
        const cancel = clock.setTimer(delay.delayMs, () => {
          timers.delete(cancel)
          send(event)
        })
        timers.add(cancel)
        return
      }
      send(event)
      if (faults.strike('duplicateEvent')) send(event)
    },
    close: async () => {
      for (const cancel of timers) cancel()
      await tail
    },
  }
}
