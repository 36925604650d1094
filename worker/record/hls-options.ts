import { runChild } from '../children.ts'
import type { MediaTools } from '../ffmpeg.ts'

/**
 * Some versions of ffmpeg take segments by the ending of their names only, to keep playlists from opening other things. Ours open
 * nothing but what the proxy allows, and names of live sources end as they like. The option is not known to all of them.
 */
export const findHlsOptions = async (
  { ffmpeg, env }: Pick<MediaTools, 'ffmpeg' | 'env'>,
  signal: AbortSignal,
): Promise<string[]> => {
  const lines: string[] = []
  await runChild(ffmpeg.path, ['-hide_banner', '-h', 'demuxer=hls'], {
    env,
    signal,
    onStdoutLine: (line) => lines.push(line),
  })
  return lines.some((line) => line.trimStart().startsWith('-extension_picky '))
    ? ['-extension_picky', '0']
    : []
}
