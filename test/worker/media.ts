import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TranscodeParams, transcodeParamsSchema } from '../../schemas/kinds/transcode.ts'
import { findMediaTools, type MediaTools } from '../../worker/ffmpeg.ts'
import { inputLimits } from '../../worker/media/limits.ts'
import { type Transcoded, type TranscodeOptions, transcodeFile } from '../../worker/media/transcode-file.ts'
import { type ClipName, clipMaker, npmMediaTools } from '../support/clips.ts'

/** A folder with clips and outputs, and the ffmpegs of this machine. `remove` at the end. */
export const openStudio = async () => {
  const folder = mkdtempSync(join(tmpdir(), 'studio-'))
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
      tools: npm,
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

/** The ffmpeg of the npm package, and that of the machine where it has one of another version. */
export const allMediaTools = async (scratch: string): Promise<[string, MediaTools][]> => {
  const npm = await npmMediaTools(scratch)
  const machine = await findMediaTools({
    path: process.env.PATH ?? '',
    scratch,
    signal: new AbortController().signal,
  }).catch(() => npm)
  return [npm, machine]
    .filter(({ ffmpeg }, index) => index === 0 || ffmpeg.version !== npm.ffmpeg.version)
    .map((tools) => [`ffmpeg ${tools.ffmpeg.version}`, tools])
}

/** What ffprobe of the npm package sees in a file. */
export const look = (tools: MediaTools, path: string, entries: string): string =>
  execFileSync(
    tools.ffprobe.path,
    ['-v', 'error', '-allowed_extensions', 'ALL', '-show_entries', entries, '-of', 'compact=p=0:nk=1', path],
    { env: tools.env, encoding: 'utf8' },
  ).trim()
