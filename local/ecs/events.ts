import { randomUUID } from 'node:crypto'
import type { Clock } from './clock.ts'
import type { Faults } from './faults.ts'

/** An EventBridge event (EventBridge user guide, "Events"); `time` has whole seconds. */
export function taskStateChange(
  detail: Record<string, unknown>,
  from: { id: string; account: string; region: string; nowMs: number },
): Record<string, unknown> {
  return {
    version: '0',
    id: from.id,
    'detail-type': 'ECS Task State Change',
    source: 'aws.ecs',
    account: from.account,
    time: `${new Date(from.nowMs).toISOString().slice(0, 19)}Z`,
    region: from.region,
    resources: [detail.taskArn],
    detail,
  }
}

export type Publisher = { publish(detail: Record<string, unknown>): void; close(): Promise<void> }

/**
 * Sends events one after the other, each once the state it tells of is on disk: after a crash no second state may carry
 * the version of one that somebody has already seen. Faults drop, double and delay; a delayed event is overtaken.
 */
export function createPublisher(options: {
  account: string
  region: string
  clock: Clock
  faults: Faults
  flush: () => Promise<void>
  emit: (event: object) => Promise<void>
  onError: (error: unknown) => void
}): Publisher {
  let tail: Promise<void> = Promise.resolve()
  const timers = new Set<() => void>()

  const send = (event: object) => {
    tail = tail
      .then(options.flush)
      .then(() => options.emit(event))
      .catch(options.onError)
  }

  return {
    publish: (detail) => {
      if (options.faults.strike('dropEvent')) return
      const event = taskStateChange(detail, {
        id: randomUUID(),
        account: options.account,
        region: options.region,
        nowMs: options.clock.nowMs(),
      })
      const delay = options.faults.strike('delayEvent')
      if (delay) {
        const cancel = options.clock.setTimer(delay.delayMs, () => {
          timers.delete(cancel)
          send(event)
        })
        timers.add(cancel)
        return
      }
      send(event)
      if (options.faults.strike('duplicateEvent')) send(event)
    },
    close: async () => {
      for (const cancel of timers) cancel()
      await tail
    },
  }
}
