import { join } from 'node:path'
import { transcodeParamsSchema } from '../../schemas/kinds/transcode.ts'
import { WorkerError } from '../errors.ts'
import { freeBytesAt, requireDisk } from '../media/disk.ts'
import { inputLimits, stallMs } from '../media/limits.ts'
import { transcodeTeller } from '../media/progress.ts'
import { transcodeFile } from '../media/transcode-file.ts'
import type { KindHandler, Work } from './handler.ts'
import { parseParams, toolsOf } from './parts.ts'
import { publishTranscode } from './publish-transcode.ts'
import { decideSplit } from './split.ts'

/** One upload into an HLS ladder with poster and metadata. */
export const transcode: KindHandler = async (work) => {
  const { settings, scratch, signal, nowMs, log } = work
  const params = parseParams(transcodeParamsSchema, settings.params)
  const tools = await toolsOf(work)
  const decision = await decideSplit(work, params, tools)
  if (decision.is === 'split') return { files: [], result: {}, split: decision.split }
  const input = join(scratch, 'input')
  const tell = transcodeTeller(work.tell, nowMs)
  const source = await fetchInput(work, input, (share) => tell('download', share))
  log.info({ ffmpeg: tools.ffmpeg, ffprobe: tools.ffprobe, input: source }, 'input downloaded')

  const startMs = nowMs()
  const transcoded = await transcodeFile(input, join(scratch, 'output'), params, {
    tools,
    limits: inputLimits,
    stallMs,
    signal,
    nowMs,
    freeBytes: freeBytesAt,
    onProgress: tell,
    warnings: decision.warnings,
  })
  log.info({ tookMs: nowMs() - startMs, warnings: transcoded.metadata.warnings }, 'transcoded and verified')
  return publishTranscode(work, transcoded, (share) => tell('upload', share))
}

const fetchInput = async (work: Work, path: string, onBytes: (share: number) => void) => {
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
    onBytes,
  })
}
