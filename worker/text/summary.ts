import { posix } from 'node:path'
import type { ObjectAddress, Warning } from '../../schemas/object-address.ts'
import type { Scenes } from '../../schemas/scenes.ts'
import type { Summary } from '../../schemas/summary.ts'
import { type Chunk, chunksOf } from './chunks.ts'
import { sentencesOf } from './sentences.ts'
import type { Summarizer } from './summarizer.ts'
import type { Transcript, Word } from './transcript.ts'
import { lastEndS, speakersOf } from './turns.ts'

export type SummaryInput = {
  jobId: string
  title: string
  input: ObjectAddress | null
  scenes: Scenes
  /** How to get from summary.json to a picture of a scene. */
  pictureAt: (picture: string) => string
  /** undefined: the recording has no sound. */
  transcript: Transcript | undefined
  summarizer: Summarizer
  signal: AbortSignal
}

/** Everything that stands in summary.json. */
export const summaryOf = async (given: SummaryInput): Promise<Summary> => {
  const { scenes, transcript, summarizer, signal } = given
  const words = transcript?.words ?? []
  const durationS = lastEndS(words, scenes.durationS)
  const cutsS = scenes.scenes.slice(1).map(({ startS }) => startS)
  const chunks = chunksOf(sentencesOf({ words, language: transcript?.language }), cutsS, durationS)
  const answer = await summarizer.summarize({ language: transcript?.language, chunks, signal })
  return {
    schemaVersion: 1,
    jobId: given.jobId,
    title: given.title,
    input: given.input,
    durationS: rounded(durationS),
    language: transcript?.language ?? null,
    speech: transcript === undefined ? null : { words: words.length, confidence: meanConfidence(words) },
    speakers: speakersOf(words).map(({ label, talkS, words: count }) => ({
      label: label ?? null,
      talkS: rounded(talkS),
      words: count,
    })),
    scenes: scenes.scenes.map((scene) => ({
      ...scene,
      picture: scene.picture === null ? null : given.pictureAt(scene.picture),
    })),
    chapters: chunks.map((chunk, index) => ({
      startS: rounded(chunk.startS),
      endS: rounded(chunk.endS),
      keyPhrases: answer.chapters[index]?.keyPhrases ?? [],
      speakers: speakersIn(chunk),
      words: chunk.sentences.reduce((sum, sentence) => sum + sentence.words, 0),
      summary: answer.chapters[index]?.summary ?? [],
    })),
    summary: answer.summary,
    summarizer: summarizer.name,
    warnings: [...scenes.warnings, ...warningsFor(transcript)],
  }
}

/** The way from one key to another in the same bucket. Pure. */
export const relativeKey = (fromPrefix: string, key: string): string =>
  posix.relative(`/${fromPrefix}`, `/${key}`)

const rounded = (seconds: number): number => Math.round(seconds * 1000) / 1000

const speakersIn = ({ sentences }: Chunk): (string | null)[] => [
  ...new Set(sentences.map(({ speaker }) => speaker ?? null)),
]

const meanConfidence = (words: readonly Word[]): number | null => {
  const known = words.flatMap(({ confidence }) => confidence ?? [])
  if (known.length === 0) return null
  return rounded(known.reduce((sum, confidence) => sum + confidence, 0) / known.length)
}

/** Recognisers are seldom below; what they say then is more guessed than heard. */
const doubtfulConfidence = 0.6

const warningsFor = (transcript: Transcript | undefined): Warning[] => {
  if (transcript === undefined)
    return [
      { code: 'NO_AUDIO_STREAM', message: 'The recording has no sound, so nothing could be transcribed.' },
    ]
  const { words } = transcript
  if (words.length === 0) return [{ code: 'NO_SPEECH', message: 'Nobody was heard to speak.' }]
  const confidence = meanConfidence(words)
  return [
    ...(confidence !== null && confidence < doubtfulConfidence
      ? [
          {
            code: 'LOW_CONFIDENCE',
            message: `The recogniser was ${Math.round(confidence * 100)} % sure on average: expect wrong words.`,
          },
        ]
      : []),
    ...(words.every(({ speaker }) => speaker === undefined)
      ? [{ code: 'SPEAKERS_UNKNOWN', message: 'The transcript does not say who speaks.' }]
      : []),
  ]
}
