import { ebur128Filter, type Loudness, parseEbur128 } from '../audio/ebur128.ts'
import { WorkerError } from '../errors.ts'
import { runArguments } from './arguments.ts'
import { cpuLimitS, ownPlaylistGuard } from './limits.ts'
import { type RunOptions, runFfmpeg } from './run.ts'

/**
 * Arguments that measure the loudness of a finished audio rendition by EBU R128: only the sound is decoded, and only what
 * will be heard. Pure.
 * @param playlist absolute path
 * @param durationS of it
 */
export const loudnessArguments = (playlist: string, durationS: number): string[] => [
  // The result is printed at the level of information; what is printed for each moment is kept below it.
  ...runArguments(cpuLimitS(durationS, 0), 'info'),
  ...ownPlaylistGuard,
  ...['-i', `file:${playlist}`, '-map', '0:a:0', '-af', ebur128Filter, '-f', 'null', '-'],
]

/** @throws WorkerError OUTPUT_INVALID and those of `runFfmpeg` */
export const measureLoudness = async (
  playlist: string,
  options: Omit<RunOptions, 'cpuLimitS'>,
): Promise<Loudness> => {
  const { stderr } = await runFfmpeg(loudnessArguments(playlist, options.durationS), {
    ...options,
    cpuLimitS: cpuLimitS(options.durationS, 0),
  })
  const loudness = parseEbur128(stderr, options.durationS).at(-1)
  if (loudness === undefined)
    throw new WorkerError('OUTPUT_INVALID', 'the loudness of the audio could not be measured')
  return loudness
}
