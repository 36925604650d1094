import { cpus } from 'node:os'
import { runChild } from '../children.ts'
import { WorkerError } from '../errors.ts'
import type { MediaTools } from '../ffmpeg.ts'
import { diagnose, tellsOfDamage } from './diagnose.ts'
import { progressReader } from './progress.ts'

export type RunOptions = {
  tools: MediaTools
  durationS: number
  cpuLimitS: number
  stallMs: number
  signal: AbortSignal
  /** Ends it at the first damaged frame. */
  strict?: boolean
  /** It begins in the middle of the input: see `tellsOfDamage`. */
  midway?: boolean
  /** Called with the share that is done, 0 to 0.99. */
  onProgress: (share: number) => void
  /** What a filter prints between the lines of progress. */
  onLine?: (line: string) => void
  nowMs: () => number
}

/** What ffmpeg said on its way to exit code 0: how many lines told of damaged frames, and its last words. */
export type RunEnd = { damage: number; stderr: string }

/**
 * Runs ffmpeg under a watchdog. That it exits with 0 says little: who calls this checks what was written.
 * @throws WorkerError of `diagnose`, STALLED, or INPUT_CORRUPT where it is strict; the reason of the signal when that was given
 */
export const runFfmpeg = async (args: readonly string[], options: RunOptions): Promise<RunEnd> => {
  const { tools, signal, stallMs, nowMs } = options
  const startMs = nowMs()
  const stall = new AbortController()
  const broken = new AbortController()
  const watchdog = setTimeout(() => stall.abort(), stallMs)
  const read = progressReader(options.durationS)
  const newFrames = frameCounter()
  let damage = 0
  try {
    const end = await runChild(tools.ffmpeg.path, args, {
      env: tools.env,
      signal: AbortSignal.any([signal, stall.signal, broken.signal]),
      onStdoutLine: (line) => {
        options.onLine?.(line)
        const share = read(line)
        if (share !== undefined) options.onProgress(share)
        if (newFrames(line) || share !== undefined) watchdog.refresh()
      },
      onStderrLine: (line) => {
        if (!tellsOfDamage(line, options.midway)) return
        damage += 1
        if (options.strict) broken.abort()
      },
    })
    signal.throwIfAborted()
    if (stall.signal.aborted) throw new WorkerError('STALLED', `nothing for ${Math.round(stallMs / 1000)} s`)
    if (broken.signal.aborted)
      throw new WorkerError('INPUT_CORRUPT', 'a picture or sound in it cannot be decoded')
    // It cannot have used more CPU time than all cores had since it started.
    const cpuLimitReached = ((nowMs() - startMs) / 1000) * cpus().length >= options.cpuLimitS
    if (end.exitCode !== 0) throw diagnose(end, { doing: 'transcode', cpuLimitReached })
    return { damage, stderr: end.stderr }
  } finally {
    clearTimeout(watchdog)
  }
}

/** Past the announced end the share stands still while frames still come; `frame=` tells as well. */
const frameCounter = (): ((line: string) => boolean) => {
  let last = ''
  return (line) => {
    if (!line.startsWith('frame=') || line === last) return false
    last = line
    return true
  }
}
