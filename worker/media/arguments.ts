/**
 * What stands first in every command line of `runFfmpeg`: ffmpeg asks nothing, tells of its progress twice a second, and is
 * ended by the kernel when it has used up its time. Pure.
 * @param cpuLimitS CPU seconds; undefined: no limit
 * @param level of what it says: `info` where filters say what they have measured
 */
export const runArguments = (
  cpuLimitS: number | undefined,
  level: 'warning' | 'info' = 'warning',
): string[] => [
  ...['-y', '-nostdin', '-hide_banner', '-v', level, '-nostats'],
  ...['-stats_period', '0.5', '-progress', 'pipe:1'],
  ...(cpuLimitS === undefined ? [] : ['-timelimit', String(cpuLimitS)]),
]

/** What ffmpeg copies by itself from input to output, and nobody asked for. */
export const nothingElse = ['-map_metadata', '-1', '-map_chapters', '-1'] as const
