import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runChild } from '../children.ts'
import { WorkerError } from '../errors.ts'
import type { MediaTools } from '../ffmpeg.ts'
import { posterArguments } from './command.ts'
import type { CheckedRendition } from './verify.ts'

const timeoutMs = 60_000
/** Far enough in to be past what is dark at the beginning. */
const shareOfDuration = 0.1

/**
 * A still picture from the largest rendition. The piece it is taken from is cut out of the files, not sought by ffmpeg:
 * seeking in HLS finds nothing near the start with 7.0 and broken packets with 5.1.
 * @throws WorkerError OUTPUT_INVALID
 */
export const makePoster = async (
  renditions: readonly CheckedRendition[],
  folder: string,
  picture: string,
  { tools, signal }: { tools: MediaTools; signal: AbortSignal },
): Promise<void> => {
  const [largest] = renditions
  if (largest === undefined) throw new WorkerError('OUTPUT_INVALID', 'there are no renditions')
  const { path, offsetS } = pieceAt(largest.segments, largest.durationS * shareOfDuration)
  // The frame that is shown at that time began up to one frame before it.
  const fromS = Math.max(0, offsetS - 1 / largest.frameRate)
  const piece = join(folder, 'poster-piece.mp4')
  await writeFile(piece, [await readFile(join(folder, largest.init)), await readFile(join(folder, path))])
  const end = await runChild(tools.ffmpeg.path, posterArguments(piece, fromS, picture), {
    env: tools.env,
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
  })
  signal.throwIfAborted()
  await rm(piece)
  const bytes = await stat(picture).then(
    ({ size }) => size,
    () => 0,
  )
  if (end.exitCode !== 0 || bytes === 0)
    throw new WorkerError('OUTPUT_INVALID', `no poster was made: ${end.stderr.trim().slice(-200)}`)
}

/** The segment that is shown at a time, and how far into it that is. Pure. */
export const pieceAt = (
  segments: CheckedRendition['segments'],
  atS: number,
): { path: string; offsetS: number } => {
  let startS = 0
  for (const { path, durationS } of segments) {
    if (atS < startS + durationS) return { path, offsetS: atS - startS }
    startS += durationS
  }
  return { path: segments.at(-1)?.path ?? '', offsetS: 0 }
}
