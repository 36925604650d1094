import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type AudioParams, audioParamsSchema } from '../../schemas/kinds/audio.ts'
import { baseName } from '../../schemas/kinds/hearing.ts'
import type { ManifestFile } from '../../schemas/manifest.ts'
import { manifestName } from '../../schemas/resources.ts'
import { type Converted, convertAudio, metadataName } from '../audio/convert.ts'
import { type AudioSource, heardOf, needsAnalysis, requireAudio } from '../audio/plan.ts'
import { type AudioStage, stagedProgress, stageWeights } from '../audio/progress.ts'
import {
  firstFrameBytes,
  id3Bytes,
  isPipedWav,
  meantShare,
  tagsBetween,
  tellsDuration,
} from '../audio/promise.ts'
import { readTags } from '../audio/tags.ts'
import { freeBytesAt } from '../media/disk.ts'
import { inputLimits, stallMs } from '../media/limits.ts'
import type { Finished, KindHandler, Work } from './handler.ts'
import { type OpenedMedia, parseParams, withMedia } from './parts.ts'

/** One upload in other formats, with its loudness, waveform and a preview. */
export const audio: KindHandler = async (work) => {
  const params = parseParams(audioParamsSchema, work.settings.params)
  const { settings, scratch, signal, nowMs, log } = work
  const folder = join(scratch, 'output')
  await mkdir(folder)
  const { converted, progress } = await withMedia(work, async (media) => {
    const source = await admit(work, media)
    const progress = progressFor(work, source, params)
    const converted = await convertAudio(media.served, source, params, {
      tools: media.tools,
      base: baseName(settings.input?.key ?? ''),
      folder,
      // It may have to wait for S3, which is asked again for a minute.
      stallMs: stallMs * 2,
      longestS: inputLimits.durationS,
      signal,
      onProgress: progress,
      freeBytes: freeBytesAt,
      nowMs,
      inputFailure: media.served.failure,
    })
    return { converted, progress }
  })
  const { warnings, normalization, trimmed } = converted.metadata
  log.info({ normalization, trimmed, warnings }, 'converted and verified')
  const files = await uploadAll(work, converted, progress)
  return { files, result: summaryFor(settings.output, converted, files) }
}

/** @throws WorkerError of `requireAudio` */
const admit = async (work: Work, { served, probed, tools }: OpenedMedia): Promise<AudioSource> => {
  const { signal } = work
  const start = id3Bytes(served.head)
  const readAt = readerOf(work, served)
  const heard = heardOf(probed)
  const tells = tellsDuration(probed, await readAt(start), served.bytes - start)
  return requireAudio(probed, {
    tells,
    meant: meantShare(served.head, served.bytes),
    harmless: await harmlessOf(probed, tells, served.head, readAt),
    tags: heard === undefined ? {} : await readTags(served, heard.index, { tools, signal }),
    limits: inputLimits,
  })
}

/** How often ffmpeg will complain of what is no damage: of tags between joined MP3s, and of where samples from a pipe end. */
const harmlessOf = async (
  { container, audio }: OpenedMedia['probed'],
  tells: boolean,
  head: Buffer,
  readAt: (offset: number) => Promise<Buffer>,
): Promise<number> => {
  if (container === 'mp3' && !tells) return tagsBetween(readAt, id3Bytes(head))
  return isPipedWav(head) && audio?.codec.startsWith('pcm_') ? 1 : 0
}

/** What stands at an offset of the input, as much as a first frame takes; tags may be longer than what was read already. */
const readerOf =
  ({ settings: { input }, storage, signal }: Work, { head, bytes }: OpenedMedia['served']) =>
  async (start: number): Promise<Buffer> => {
    const end = Math.min(bytes, start + firstFrameBytes)
    if (end <= head.length || start >= bytes || input === undefined) return head.subarray(start, end)
    return storage.readRange(input, { start, end: end - 1 }, signal)
  }

const progressFor = (
  { tell, nowMs }: Work,
  source: AudioSource,
  params: AudioParams,
): ((stage: AudioStage, share: number) => void) =>
  stagedProgress(
    stageWeights({
      analyses: needsAnalysis(source, params),
      normalizes: params.loudness !== undefined,
      formats: params.formats.length,
    }),
    { tell, nowMs },
  )

const uploadAll = async (
  { storage, settings, signal }: Work,
  { files }: Converted,
  progress: (stage: AudioStage, share: number) => void,
): Promise<ManifestFile[]> => {
  const uploaded: ManifestFile[] = []
  for (const { path, name, role } of files) {
    progress('upload', uploaded.length / files.length)
    uploaded.push(await storage.upload(path, `${settings.output}${name}`, role, signal))
  }
  return uploaded
}

const summaryFor = (
  output: string,
  { metadata }: Converted,
  files: readonly ManifestFile[],
): Finished['result'] => ({
  manifest: `${output}${manifestName}`,
  metadata: `${output}${metadataName}`,
  durationS: metadata.resultS,
  formats: metadata.outputs.map(({ format }) => format),
  loudness: metadata.loudness.integratedLufs,
  ...(metadata.normalization === null ? {} : { normalization: metadata.normalization.type }),
  files: files.length,
  bytes: files.reduce((sum, file) => sum + file.bytes, 0),
  warnings: metadata.warnings.length,
})
