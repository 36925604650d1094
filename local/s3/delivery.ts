import { setTimeout as sleep } from 'node:timers/promises'
import type { S3Faults } from './faults.ts'
import { eventMessage, interested, type QueueConfiguration, type S3Event } from './notifications.ts'

export type Delivery = {
  /** Sends an event to the queues that want it, in the background. Called once the write is on disk. */
  announce(configurations: readonly QueueConfiguration[], event: S3Event): void
  /** Ends waiting retries and resolves when the sends under way are done. */
  close(): Promise<void>
}

/** S3 delivers at least once and keeps trying for long; a queue that is missing here for 3 s is gone. */
const RETRY_DELAYS_MS = [50, 200, 750, 2000]

export function createDelivery(options: {
  region: string
  notify: (queueArn: string, body: string) => Promise<void>
  log: { warn(o: object, msg: string): void }
  faults: S3Faults
}): Delivery {
  const { region, notify, log, faults } = options
  const closing = new AbortController()
  const pending = new Set<Promise<void>>()

  async function deliver(queueArn: string, body: string, delayMs: number, event: S3Event): Promise<void> {
    let lastError: unknown
    for (const waitMs of [delayMs, ...RETRY_DELAYS_MS]) {
      if (waitMs > 0) await sleep(waitMs, undefined, { signal: closing.signal }).catch(() => undefined)
      if (closing.signal.aborted) break
      try {
        await notify(queueArn, body)
        return
      } catch (error) {
        lastError = error
      }
    }
    const { bucket, key, name } = event
    log.warn({ queueArn, bucket, key, event: name, err: lastError }, 'S3 notification was not delivered')
  }

  return {
    announce(configurations, event) {
      for (const { id, queueArn } of interested(configurations, event)) {
        const body = eventMessage(event, id, region)
        for (let copy = 0; copy < faults.eventCopies; copy += 1) {
          const delivery = deliver(queueArn, body, faults.eventDelayMs(event), event).finally(() =>
            pending.delete(delivery),
          )
          pending.add(delivery)
        }
      }
    },
    async close() {
      closing.abort()
      await Promise.all(pending)
    },
  }
}
