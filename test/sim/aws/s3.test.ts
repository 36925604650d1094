import { HeadObjectCommand } from '@aws-sdk/client-s3'
import { expect, test } from 'vitest'
import { isLater } from '../../../controller/intake/messages.ts'
import { createRandom } from '../../support/random.ts'
import { createVirtualClock } from '../../support/virtual-clock.ts'
import { createS3Model } from './s3.ts'

test('sequencers grow, also within one millisecond and where their length differs', async () => {
  const clock = createVirtualClock()
  const s3 = createS3Model({ time: clock, random: createRandom(1) })
  const sequencers: string[] = []
  for (let number = 0; number < 600; number += 1) {
    sequencers.push(s3.put('uploads', 'a.mp4').sequencer)
    if (number % 100 === 0) await clock.pass(1)
  }
  expect(new Set(sequencers.map(({ length }) => length)).size).toBeGreaterThan(1)
  sequencers.slice(1).forEach((sequencer, index) => {
    expect(isLater(sequencer, sequencers[index])).toBe(true)
  })
})

test('every put without a text is other bytes, and the same text the same etag', () => {
  const s3 = createS3Model({ time: createVirtualClock(), random: createRandom(1) })
  expect(s3.put('uploads', 'a').etag).not.toBe(s3.put('uploads', 'a').etag)
  expect(s3.put('uploads', 'a', 'text').etag).toBe(s3.put('uploads', 'a', 'text').etag)
})

test('what was deleted is not found', () => {
  const s3 = createS3Model({ time: createVirtualClock(), random: createRandom(1) })
  s3.put('uploads', 'a')
  s3.delete('uploads', 'a')
  expect(() => s3.execute(new HeadObjectCommand({ Bucket: 'uploads', Key: 'a' }))).toThrow('NotFound')
})
