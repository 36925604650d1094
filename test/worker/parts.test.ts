import { expect, test } from 'vitest'
import type { Status } from '../../worker/heartbeat.ts'
import { stageTeller } from '../../worker/kinds/parts.ts'

test('a stage tells its part of the whole, and how long the whole will still take', () => {
  let nowMs = 1000
  const told: Status[] = []
  const tell = stageTeller({ tell: (status) => told.push(status), nowMs: () => nowMs }, 'extract', 90)
  const after = (ms: number, share: number) => {
    nowMs += ms
    tell(share)
  }
  after(500, 0.1) // Too early to tell.
  after(9500, 0.5)
  after(8000, 1)
  expect(told).toEqual([
    { stage: 'extract', percent: 9 },
    // 45 % of the whole took 10 s.
    { stage: 'extract', percent: 45, etaS: 12 },
    { stage: 'extract', percent: 90, etaS: 2 },
  ])
})
