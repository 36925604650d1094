import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type SummarizeParams,
  type SummarizeResult,
  summarizeParamsSchema,
} from '../../schemas/kinds/summarize.ts'
import type { ManifestFile } from '../../schemas/manifest.ts'
import { parseSafely } from '../../schemas/parse-safely.ts'
import { problemsOf, summaryOf as summaryOfProblems } from '../../schemas/problems.ts'
import { manifestName } from '../../schemas/resources.ts'
import { type Scenes, scenesSchema } from '../../schemas/scenes.ts'
import type { Summary } from '../../schemas/summary.ts'
import { asWorkerError, WorkerError } from '../errors.ts'
import { loggable } from '../log.ts'
import { extractiveSummarizer } from '../text/extractive.ts'
import { markdownOf } from '../text/markdown.ts'
import type { Summarizer } from '../text/summarizer.ts'
import { relativeKey, summaryOf } from '../text/summary.ts'
import { readTranscript, type Transcript } from '../text/transcript.ts'
import type { KindHandler, Work } from './handler.ts'
import { parseParams, readObject } from './parts.ts'

const summaryName = 'summary.json'
const pageName = 'summary.md'

/** What was said and shown in a recording, for programs and for people. */
export const summarize: KindHandler = async (work) => {
  const { settings, environment, signal } = work
  const params = parseParams(summarizeParamsSchema, settings.params)
  work.tell({ stage: 'read', percent: 0 })
  const scenes = parseScenes(await readObject(work, params.scenes), params.scenes.key)
  const transcript = params.transcript && readTranscript(await readObject(work, params.transcript))
  const scenesPrefix = params.scenes.key.slice(0, params.scenes.key.lastIndexOf('/') + 1)
  const { bucket, key } = settings.input ?? {}
  // How long somebody takes to sum up, nobody can tell.
  work.tell({ stage: 'summarize', percent: 10 })
  const summary = await summaryOf({
    jobId: environment.JOB_ID,
    title: params.title,
    input: bucket === undefined || key === undefined ? null : { bucket, key },
    scenes,
    pictureAt: (picture) => relativeKey(settings.output, `${scenesPrefix}${picture}`),
    transcript: transcript && withLanguage(transcript, params.language),
    summarizer: await summarizerOf(work, params.summary),
    signal,
  })
  work.tell({ stage: 'upload', percent: 90 })
  const page = await uploadAs(work, pageName, markdownOf(summary), 'page')
  const json = await uploadAs(work, summaryName, `${JSON.stringify(summary, null, 2)}\n`, 'summary')
  return { files: [page, json], result: resultFor(settings.output, summary) }
}

/** Whoever does not ask for a model does not even load what speaks to it. */
const summarizerOf = async (work: Work, chosen: SummarizeParams['summary']): Promise<Summarizer> => {
  if (chosen?.engine !== 'bedrock') return extractiveSummarizer
  const [{ openModelClient }, { bedrockSummarizer }] = await Promise.all([
    import('../clients.ts'),
    import('../text/bedrock.ts'),
  ])
  return bedrockSummarizer({
    client: await openModelClient(work.environment),
    modelId: chosen.modelId,
    requestTimeoutMs: 90_000,
    patience: {
      forMs: 180_000,
      nowMs: work.nowMs,
      random: Math.random,
      onRetry: (error, waitMs) =>
        work.log.warn({ ...loggable(asWorkerError(error)), waitMs }, 'the model is asked again'),
    },
  })
}

const withLanguage = (transcript: Transcript, language: string | undefined): Transcript => ({
  ...transcript,
  language: language ?? transcript.language,
})

/** @throws WorkerError SCENES_INVALID */
const parseScenes = (text: string, key: string): Scenes => {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    throw new WorkerError('SCENES_INVALID', `${key} is not JSON`)
  }
  const parsed = parseSafely<Scenes>(scenesSchema, json)
  if (parsed.success) return parsed.data
  throw new WorkerError('SCENES_INVALID', `${key}: ${summaryOfProblems(problemsOf(parsed.error, json))}`)
}

const uploadAs = async (
  { scratch, storage, settings, signal }: Work,
  name: string,
  text: string,
  role: ManifestFile['role'],
): Promise<ManifestFile> => {
  const path = join(scratch, name)
  await writeFile(path, text)
  return storage.upload(path, `${settings.output}${name}`, role, signal)
}

const resultFor = (output: string, summary: Summary): SummarizeResult => ({
  manifest: `${output}${manifestName}`,
  summary: `${output}${summaryName}`,
  page: `${output}${pageName}`,
  durationS: summary.durationS,
  language: summary.language,
  speakers: summary.speakers.filter(({ label }) => label !== null).length,
  words: summary.speech?.words ?? 0,
  scenes: summary.scenes.length,
  chapters: summary.chapters.length,
})
