import { z } from 'zod'
import type { Kind } from './kind.ts'

const hourS = 3600
const mebibyte = 1024 ** 2

const whole = (min: number, max: number) =>
  z
    .number({ error: `must be a whole number from ${min} to ${max}` })
    .int({ error: `must be a whole number from ${min} to ${max}` })
    .min(min, { error: `must be at least ${min}` })
    .max(max, { error: `must be at most ${max}` })

export const recordParamsSchema = z
  .strictObject({
    maxDuration: whole(1, 12 * hourS)
      .default(hourS)
      .describe('Seconds after which the recording is whole, gaps included: 1 to 43200. Default 3600.'),
    maxBytes: whole(mebibyte, 1024 * 1024 * mebibyte)
      .default(100 * 1024 * mebibyte)
      .describe('Bytes after which it is whole, 1 MiB to 1 TiB, kept to within a segment. Default 100 GiB.'),
    segmentSeconds: whole(2, 30)
      .default(6)
      .describe(
        'Length of a segment in seconds, 2 to 30; cuts fall on key frames. What is lost with a task is at most one.',
      ),
    stallTimeout: whole(5, 600)
      .default(20)
      .describe('Seconds without anything new after which the source is asked anew, 5 to 600. Default 20.'),
    giveUpAfter: whole(5, 3600)
      .default(60)
      .describe('Seconds without anything new after which the attempt gives up, 5 to 3600. Default 60.'),
    onSourceLost: z
      .enum(['fail', 'finish'], { error: 'must be fail or finish' })
      .default('fail')
      .describe(
        'What it means when a live source goes away and does not come back: fail (another attempt goes on in the same playlist), or finish (that was all of it). A source that is there and silent always fails.',
      ),
  })
  .describe('Parameters of a record job.')

export type RecordParams = z.infer<typeof recordParamsSchema>

/** What an attempt may take beyond the recording itself: to start, to give up, to finish. */
const marginS = 30 * 60

export const record: Kind = {
  title: 'A stream from a URL into segments that can be played while it records',
  params: recordParamsSchema,
  input: 'url',
  claims: true,
  group: 'internet',
  uploadSuffixes: [],
  resources: { cpu: 512, memory: 1024 },
  takesS: (params) => recordParamsSchema.parse(params).maxDuration + marginS,
}
