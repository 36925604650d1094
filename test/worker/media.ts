import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TranscodeParams, transcodeParamsSchema } from '../../schemas/kinds/transcode.ts'
import { findMediaTools, type MediaTools } from '../../worker/ffmpeg.ts'
import type { Transcoded } from '../../worker/media/finish.ts'
import { inputLimits } from '../../worker/media/limits.ts'
import { type TranscodeOptions, transcodeFile } from '../../worker/media/transcode-file.ts'
import { type ClipName, clipMaker, npmMediaTools } from '../support/clips.ts'

/** A folder with clips and outputs, and the ffmpeg that is tested. `remove` at the end. */
export const openStudio = async () => {
  const folder = mkdtempSync(join(tmpdir(), 'studio-'))
  const tools = await testedMediaTools(folder)
  const npm = await npmMediaTools(folder)
  const clip = clipMaker(folder, npm)
  let outputs = 0

  const transcode = async (
    input: string,
    params: Partial<TranscodeParams> = {},
    options: Partial<TranscodeOptions> = {},
  ): Promise<Transcoded & { folder: string }> => {
    outputs += 1
    const output = join(folder, `output-${outputs}`)
    const transcoded = await transcodeFile(input, output, fastParams(params), {
      tools,
      limits: inputLimits,
      stallMs: 20_000,
      signal: new AbortController().signal,
      onProgress: () => undefined,
      freeBytes: async () => 1e12,
      nowMs: Date.now,
      ...options,
    })
    return { ...transcoded, folder: output }
  }
  return {
    folder,
    tools,
    /** What makes clips and looks at outputs: the same in every run. */
    npm,
    clip,
    transcode,
    transcodeClip: async (
      name: ClipName,
      params?: Partial<TranscodeParams>,
      options?: Partial<TranscodeOptions>,
    ) => transcode(await clip(name), params, options),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}

/** Two small rungs and the fastest preset: what is tested is what comes out, not how good it looks. */
export const fastParams = (params: Partial<TranscodeParams> = {}): TranscodeParams =>
  transcodeParamsSchema.parse({
    preset: 'ultrafast',
    renditions: [
      { height: 360, maxBitrateKbps: 800 },
      { height: 180, maxBitrateKbps: 300 },
    ],
    segmentSeconds: 2,
    ...params,
  })

/** The ffmpeg that is tested: that of the npm package, or the one that a run for another version has found. */
export const testedMediaTools = (scratch: string): Promise<MediaTools> => {
  const { TESTED_FFMPEG_PATH: ffmpegPath, TESTED_FFPROBE_PATH: ffprobePath } = process.env
  return findMediaTools({
    ...{ ffmpegPath, ffprobePath, path: '/nonexistent', scratch },
    signal: new AbortController().signal,
  })
}

/** The ffmpeg that is tested, and that of the machine where it has one of another version. */
export const allMediaTools = async (scratch: string): Promise<[string, MediaTools][]> => {
  const tested = await testedMediaTools(scratch)
  const machine = await findMediaTools({
    path: process.env.PATH ?? '',
    scratch,
    signal: new AbortController().signal,
  }).catch(() => tested)
  return [tested, machine]
    .filter(({ ffmpeg }, index) => index === 0 || ffmpeg.version !== tested.ffmpeg.version)
    .map((tools) => [`ffmpeg ${tools.ffmpeg.version}`, tools])
}

export type Rgb = readonly [red: number, green: number, blue: number]

/**
 * The color in the middle of a part of a picture, as a player shows it.
 * @param part the whole picture, if it is left out
 * @param atS seconds from the start
 */
export const colorIn = (
  { ffmpeg, env }: MediaTools,
  path: string,
  { atS = 0, part }: { atS?: number; part?: { x: number; y: number; width: number; height: number } } = {},
): Rgb => {
  const crop = part === undefined ? 'null' : `crop=${part.width}:${part.height}:${part.x}:${part.y}`
  const seek = atS === 0 ? [] : ['-ss', atS.toFixed(3)]
  const allow = path.endsWith('.m3u8') ? ['-allowed_extensions', 'ALL'] : []
  const [red = 0, green = 0, blue = 0] = execFileSync(
    ffmpeg.path,
    [
      ...['-nostdin', '-v', 'error', ...seek, ...allow, '-i', path, '-frames:v', '1'],
      ...['-vf', `${crop},crop=2:2,format=gbrp,scale=1:1,format=rgb24`, '-f', 'rawvideo', 'pipe:1'],
    ],
    { env },
  )
  return [red, green, blue]
}

/** Apart by less than what compression does to a color. */
export const looksLike = (seen: Rgb, wanted: Rgb, tolerance = 10): boolean =>
  seen.every((value, index) => Math.abs(value - (wanted[index] ?? 0)) <= tolerance)

/** What ffprobe of the npm package sees in a file. */
export const look = (tools: MediaTools, path: string, entries: string): string =>
  execFileSync(
    tools.ffprobe.path,
    ['-v', 'error', '-allowed_extensions', 'ALL', '-show_entries', entries, '-of', 'compact=p=0:nk=1', path],
    { env: tools.env, encoding: 'utf8' },
  ).trim()
