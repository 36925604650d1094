import { join } from 'node:path'
import { transcodeParamsSchema } from '../../schemas/kinds/transcode.ts'
import type { ManifestFile } from '../../schemas/manifest.ts'
import { problemsOf, summaryOf } from '../../schemas/problems.ts'
import { manifestName } from '../../schemas/resources.ts'
import { WorkerError } from '../errors.ts'
import { findMediaTools } from '../ffmpeg.ts'
import { freeBytesAt, requireDisk } from '../media/disk.ts'
import { inputLimits, stallMs } from '../media/limits.ts'
import { overallPercent, remainingS, type Stage } from '../media/progress.ts'
import {
  type LocalFile,
  masterName,
  metadataName,
  posterName,
  type Transcoded,
  transcodeFile,
} from '../media/transcode-file.ts'
import type { Finished, KindHandler, Work } from './handler.ts'

/** One upload into an HLS ladder with poster and metadata. */
export const transcode: KindHandler = async (work) => {
  const { settings, scratch, signal, nowMs, log } = work
  const params = parseParams(settings.params)
  const input = join(scratch, 'input')
  const tools = await findMediaTools({
    ffmpegPath: work.environment.FFMPEG_PATH,
    ffprobePath: work.environment.FFPROBE_PATH,
    path: work.environment.PATH,
    scratch,
    signal,
  })
  const source = await fetchInput(work, input)
  log.info({ ffmpeg: tools.ffmpeg, ffprobe: tools.ffprobe, input: source }, 'input downloaded')

  const startMs = nowMs()
  const transcoded = await transcodeFile(input, join(scratch, 'output'), params, {
    tools,
    limits: inputLimits,
    stallMs,
    signal,
    nowMs,
    freeBytes: freeBytesAt,
    onProgress: (stage, share) => {
      const etaS = stage === 'transcode' ? remainingS(share, nowMs() - startMs) : undefined
      tell(work, stage, share, etaS)
    },
  })
  log.info({ tookMs: nowMs() - startMs, warnings: transcoded.metadata.warnings }, 'transcoded and verified')

  const files = await uploadAll(work, transcoded.files)
  return { files, result: summaryFor(settings.output, transcoded, files) }
}

const parseParams = (params: unknown) => {
  const parsed = transcodeParamsSchema.safeParse(params)
  if (parsed.success) return parsed.data
  throw new WorkerError('RECORD_INVALID', summaryOf(problemsOf(parsed.error, params, ['settings', 'params'])))
}

const fetchInput = async (work: Work, path: string) => {
  const { settings, storage, scratch, signal } = work
  if (settings.input === undefined) throw new WorkerError('RECORD_INVALID', 'settings.input is missing')
  return storage.download(settings.input, path, {
    signal,
    admit: async (bytes) => {
      if (bytes === 0) throw new WorkerError('INPUT_EMPTY')
      if (bytes > inputLimits.bytes)
        throw new WorkerError('INPUT_TOO_LARGE', `${bytes} bytes, at most ${inputLimits.bytes} are accepted`)
      requireDisk(bytes, await freeBytesAt(scratch), 0)
    },
    onBytes: (share) => tell(work, 'download', share),
  })
}

const parallelUploads = 4

/** Segments first, what names them after them: a player that follows never meets a hole. */
const uploadAll = async (work: Work, files: readonly LocalFile[]): Promise<ManifestFile[]> => {
  const parts = files.filter((file) => file.role !== 'playlist' && file.role !== 'master')
  const playlists = files.filter((file) => file.role === 'playlist')
  const masters = files.filter((file) => file.role === 'master')
  let done = 0
  const send = async ({ path, name, role }: LocalFile): Promise<ManifestFile> => {
    const file = await work.storage.upload(path, `${work.settings.output}${name}`, role, work.signal)
    done += 1
    tell(work, 'upload', done / files.length)
    return file
  }
  const uploaded: ManifestFile[] = []
  for (const group of [parts, playlists, masters]) uploaded.push(...(await inParallel(group, send)))
  return uploaded
}

/** After the first failure nothing new is begun, and what is under way is awaited. @throws that failure */
const inParallel = async <T, R>(items: readonly T[], act: (item: T) => Promise<R>): Promise<R[]> => {
  const results: R[] = []
  const failures: unknown[] = []
  const left = [...items.entries()]
  const lane = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined && failures.length === 0; next = left.shift()) {
      const [index, item] = next
      try {
        results[index] = await act(item)
      } catch (error) {
        failures.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: parallelUploads }, lane))
  if (failures.length > 0) throw failures[0]
  return results
}

const tell = (work: Work, stage: Stage, share: number, etaS?: number): void =>
  work.tell({ stage, percent: overallPercent(stage, share), ...(etaS === undefined ? {} : { etaS }) })

const summaryFor = (
  output: string,
  { metadata }: Transcoded,
  files: readonly ManifestFile[],
): Finished['result'] => ({
  manifest: `${output}${manifestName}`,
  master: `${output}${masterName}`,
  poster: `${output}${posterName}`,
  metadata: `${output}${metadataName}`,
  durationS: metadata.durationS,
  renditions: metadata.renditions.map((rendition) => rendition.name),
  files: files.length,
  bytes: files.reduce((sum, file) => sum + file.bytes, 0),
  warnings: metadata.warnings.length,
})
