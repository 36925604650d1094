import { type ChildEnd, runChild } from '../children.ts'
import { WorkerError } from '../errors.ts'
import type { MediaTools } from '../ffmpeg.ts'

export type FfprobeOptions = {
  tools: MediaTools
  signal: AbortSignal
  /** Once it has printed nothing for so long, it is stopped. */
  stallMs: number
  onLine: (line: string) => void
}

/**
 * Runs ffprobe under a watchdog. That it takes long says nothing about what it looks at: large inputs take long, and S3 may be
 * slow to answer. So only silence ends it, and another attempt may fare better.
 * @throws WorkerError STALLED; the reason of the signal when that was given
 */
export const runFfprobe = async (
  args: readonly string[],
  { tools, signal, stallMs, onLine }: FfprobeOptions,
): Promise<ChildEnd> => {
  const stall = new AbortController()
  const watchdog = setTimeout(() => stall.abort(), stallMs)
  try {
    const end = await runChild(tools.ffprobe.path, args, {
      env: tools.env,
      signal: AbortSignal.any([signal, stall.signal]),
      onStdoutLine: (line) => {
        watchdog.refresh()
        onLine(line)
      },
    })
    signal.throwIfAborted()
    if (stall.signal.aborted)
      throw new WorkerError('STALLED', `ffprobe found nothing new for ${stallMs / 1000} s`)
    return end
  } finally {
    clearTimeout(watchdog)
  }
}
