import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { languageOf } from './languages.ts'
import { failureReasons, makeWav, mediaRefusal, probeMedia, tooLong, tooShort } from './media.ts'
import { isRefusal, type Objects } from './objects.ts'
import { mediaPlace, type Place, subtitleKey } from './places.ts'
import { type Recognised, RecogniserError, runRecogniser } from './recogniser.ts'
import type { Findings, JobRecord } from './records.ts'
import type { TranscribeSettings } from './settings.ts'
import { writeSubtitles } from './subtitles.ts'
import type { Tools } from './tools.ts'
import { buildTranscript } from './transcript.ts'
import { findVoice } from './voice.ts'

export type WorkOptions = {
  accountId: string
  settings: TranscribeSettings
  objects: Objects
  /** Holds a folder per job while it is worked on. */
  scratch: string
  /** Looked up when the first job needs them: a service that nobody uses needs no ffmpeg. */
  tools: () => Tools
  asrCommand?: string | undefined
  /** The environment of the recogniser. */
  environment: NodeJS.ProcessEnv
}

export type Outcome =
  | { kind: 'completed'; findings: Findings }
  | { kind: 'failed'; reason: string; findings: Findings }

const mediaIsGone =
  "The S3 URI that you provided doesn't point to an S3 object. Make sure the object exists and try your request again."

/**
 * The whole work of one job, from its media to its transcript. Doing it again does the same again. What the job itself is
 * to blame for is an outcome; what is thrown is the service's own trouble, or the signal.
 */
export async function work(job: JobRecord, signal: AbortSignal, options: WorkOptions): Promise<Outcome> {
  if (job.doom !== undefined) return { kind: 'failed', reason: job.doom, findings: {} }
  const folder = join(options.scratch, String(job.ordinal))
  try {
    await rm(folder, { recursive: true, force: true })
    await mkdir(folder, { recursive: true })
    const fetched = await fetchMedia(job, join(folder, 'media'), signal, options)
    if (fetched !== undefined) return { kind: 'failed', reason: fetched, findings: {} }
    return await transcribe(job, folder, signal, options)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** The media as a file, or the reason why not. */
async function fetchMedia(
  { request }: JobRecord,
  path: string,
  signal: AbortSignal,
  { objects, settings }: WorkOptions,
): Promise<string | undefined> {
  const place = mediaPlace(request.Media.MediaFileUri)
  const bytes = place && (await objects.bytesOf(place, signal))
  if (place === undefined || bytes === undefined) return mediaIsGone
  if (bytes > settings.limits.bytesMax) return failureReasons.tooLarge
  await objects.download(place, path, signal)
  return undefined
}

async function transcribe(
  job: JobRecord,
  folder: string,
  signal: AbortSignal,
  options: WorkOptions,
): Promise<Outcome> {
  const { settings } = options
  const { limits, recogniserTimeoutMs: timeoutMs } = settings
  const tools = options.tools()
  const [mediaPath, wavPath] = [join(folder, 'media'), join(folder, 'audio.wav')]

  const media = await probeMedia(mediaPath, { tools, signal })
  const findings: Findings =
    (media && {
      ...(media.format === undefined ? {} : { mediaFormat: media.format }),
      sampleRateHz: media.sampleRateHz,
    }) ||
    {}
  const failed = (reason: string): Outcome => ({ kind: 'failed', reason, findings })

  const refused = mediaRefusal(media, job.request, limits)
  if (refused !== undefined) return failed(refused)
  const { durationSMax } = limits
  const durationS = await makeWav(mediaPath, wavPath, { tools, signal, durationSMax, timeoutMs })
  if (durationS === undefined) return failed('Failed to parse audio file.')
  if (durationS > limits.durationSMax) return failed(tooLong(limits))
  if (durationS < limits.durationSMin) return failed(tooShort(limits))

  const recognised = await recognise(job, wavPath, durationS, signal, options)
  if (recognised instanceof RecogniserError) return failed(recognised.message)
  try {
    const published = await publish(job, recognised, signal, options)
    return { kind: 'completed', findings: { ...findings, durationS, ...published } }
  } catch (error) {
    if (!isRefusal(error)) throw error
    return failed(`The transcript could not be written to ${job.output.bucket}: ${error.name}.`)
  }
}

async function recognise(
  { request }: JobRecord,
  wavPath: string,
  durationS: number,
  signal: AbortSignal,
  { asrCommand, environment, tools, settings }: WorkOptions,
): Promise<Recognised | RecogniserError> {
  const timeoutMs = settings.recogniserTimeoutMs
  if (asrCommand === undefined) return findVoice(wavPath, durationS, { tools: tools(), signal, timeoutMs })
  const language = request.LanguageCode
  const command = { command: asrCommand, wavPath, durationS, language, env: environment, signal, timeoutMs }
  return runRecogniser(command).catch((error: unknown) => {
    if (error instanceof RecogniserError) return error
    throw error
  })
}

/** Writes the transcript, and its subtitles before it, so that who sees the one finds the others. */
async function publish(
  job: JobRecord,
  { words, language: heard }: Recognised,
  signal: AbortSignal,
  { accountId, settings, objects }: WorkOptions,
): Promise<Findings> {
  const { request, output } = job
  const language = languageOf(request, heard)
  const transcript = buildTranscript({
    jobName: job.name,
    accountId,
    words,
    languageCode: language.code,
    languageScore: language.score,
    maxSpeakers: request.Settings?.MaxSpeakerLabels,
    form: settings.switches.outputForm,
  })
  if (output.isServiceBucket) await objects.makeBucket(output.bucket)
  const subtitleKeys: string[] = []
  for (const format of request.Subtitles?.Formats ?? []) {
    const text = writeSubtitles(transcript, format, request.Subtitles?.OutputStartIndex ?? 0)
    if (text === undefined) continue
    const place: Place = { bucket: output.bucket, key: subtitleKey(output.key, format) }
    await objects.put(place, text, format === 'vtt' ? 'text/vtt' : 'application/x-subrip', signal)
    subtitleKeys.push(place.key)
  }
  await objects.put(output, JSON.stringify(transcript), 'application/json', signal)
  return {
    subtitleKeys,
    languageCode: language.code,
    ...(language.score === undefined ? {} : { languageScore: language.score }),
  }
}
