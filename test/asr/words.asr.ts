import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import {
  GetTranscriptionJobCommand,
  StartTranscriptionJobCommand,
  TranscribeClient,
} from '@aws-sdk/client-transcribe'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { localCredentials } from '../../local/credentials.ts'
import { startTestAws, type TestAws } from '../support/local-aws.ts'
import { until } from '../support/wait.ts'
import { record, say, wordErrors } from './speech.ts'

const sentences = [
  'this is a test of the system',
  'the united states of america',
  'the president of the united states said yes',
  'there are five people in the room',
  'we need more time to finish this',
]

/** One recording of all five, so that a time is only right if it counts from the beginning of the file. */
const silencesS = [1, 2.5, 1.5, 3, 2]

/** Measured: 24 % and 0.04 s, the same every time. */
const wordErrorRateMax = 0.35
const timeErrorMaxS = 0.15

let aws: TestAws
let transcribe: TranscribeClient
beforeAll(async () => {
  aws = await startTestAws({
    asrCommand: `${process.execPath} --import tsx scripts/asr-pocketsphinx.ts`,
  })
  transcribe = new TranscribeClient({
    endpoint: aws.endpoint,
    region: 'us-east-1',
    credentials: localCredentials,
  })
})
afterAll(async () => {
  transcribe.destroy()
  await aws.close()
})

type Heard = { text: string; startS: number; endS: number }

/** The words of a recording, by the wire and in the words of AWS. */
const transcribed = async (name: string, media: Buffer): Promise<Heard[]> => {
  const { s3 } = aws.clients()
  await s3.send(new PutObjectCommand({ Bucket: 'uploads', Key: `${name}.flac`, Body: media }))
  await transcribe.send(
    new StartTranscriptionJobCommand({
      TranscriptionJobName: name,
      LanguageCode: 'en-US',
      Media: { MediaFileUri: `s3://uploads/${name}.flac` },
      OutputBucketName: 'outputs',
    }),
  )
  const job = await until(
    'the transcript',
    async () => {
      const { TranscriptionJob } = await transcribe.send(
        new GetTranscriptionJobCommand({ TranscriptionJobName: name }),
      )
      return TranscriptionJob?.CompletionTime && TranscriptionJob
    },
    90_000,
  )
  expect(job).toMatchObject({ TranscriptionJobStatus: 'COMPLETED' })
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'outputs', Key: `${name}.json` }))
  const { results } = JSON.parse((await Body?.transformToString()) ?? '')
  return results.items.map(
    (item: { alternatives: { content: string }[]; start_time: string; end_time: string }) => ({
      text: item.alternatives[0]?.content.toLowerCase(),
      startS: Number(item.start_time),
      endS: Number(item.end_time),
    }),
  )
}

test('five sentences said by espeak-ng are heard by pocketsphinx, at their times', async () => {
  const spoken = await Promise.all(sentences.map(say))
  const { flac, times } = await record(
    spoken.map((one, index) => ({ silenceS: silencesS[index] ?? 1, spoken: one })),
  )
  const heard = await transcribed('sentences', flac)

  const rows = sentences.map((sentence, index) => {
    const { startS = 0, endS = 0 } = times[index] ?? {}
    // What lies nearest to this sentence, half-way through the silences around it.
    const fromS = (startS + (times[index - 1]?.endS ?? 0)) / 2
    const toS = (endS + (times[index + 1]?.startS ?? endS + 10)) / 2
    const words = heard.filter((word) => word.startS >= fromS && word.startS < toS)
    const said = sentence.split(' ')
    const errors = wordErrors(
      said,
      words.map(({ text }) => text),
    )
    return {
      said: sentence,
      heard: words.map(({ text }) => text).join(' '),
      errors,
      startErrorS: Math.abs((words[0]?.startS ?? Number.POSITIVE_INFINITY) - startS),
      endErrorS: Math.abs((words.at(-1)?.endS ?? Number.POSITIVE_INFINITY) - endS),
    }
  })
  const wordCount = sentences.join(' ').split(' ').length
  const wordErrorRate = rows.reduce((sum, { errors }) => sum + errors, 0) / wordCount
  const timeErrorsS = rows.flatMap(({ startErrorS, endErrorS }) => [startErrorS, endErrorS])
  const worstS = Math.max(...timeErrorsS)

  const lines = rows.map(
    (row) =>
      `${row.errors} wrong, start off by ${row.startErrorS.toFixed(2)} s, end by ${row.endErrorS.toFixed(2)} s\n  said   ${row.said}\n  heard  ${row.heard}`,
  )
  process.stdout.write(
    `${lines.join('\n')}\nword error rate ${(wordErrorRate * 100).toFixed(0)} % of ${wordCount} words, at most ${wordErrorRateMax * 100} % allowed\n` +
      `time error at most ${worstS.toFixed(2)} s, ${timeErrorMaxS} s allowed\n`,
  )
  expect(wordErrorRate).toBeLessThanOrEqual(wordErrorRateMax)
  expect(worstS).toBeLessThanOrEqual(timeErrorMaxS)
})
