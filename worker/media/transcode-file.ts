import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { TranscodeParams } from '../../schemas/kinds/transcode.ts'
import type { FileRole } from '../../schemas/manifest.ts'
import type { TranscodeMetadata, TranscodeWarning } from '../../schemas/metadata.ts'
import { WorkerError } from '../errors.ts'
import type { MediaTools } from '../ffmpeg.ts'
import { type Plan, planTranscode, transcodeArguments } from './command.ts'
import { diagnoseText } from './diagnose.ts'
import { outputBytes, requireDisk } from './disk.ts'
import { admitInput, type Source } from './gate.ts'
import type { InputLimits } from './limits.ts'
import { describeTranscode } from './metadata.ts'
import { masterPlaylist } from './playlist.ts'
import { makePoster } from './poster.ts'
import { runFfmpeg } from './run.ts'
import { type CheckedOutput, judgeDuration, verifyOutput } from './verify.ts'

export type LocalFile = { path: string; name: string; role: FileRole }

export type TranscodeOptions = {
  tools: MediaTools
  limits: InputLimits
  stallMs: number
  signal: AbortSignal
  onProgress: (stage: 'transcode' | 'verify', share: number) => void
  freeBytes: (path: string) => Promise<number>
  nowMs: () => number
}

export type Transcoded = { files: LocalFile[]; metadata: TranscodeMetadata }

export const masterName = 'master.m3u8'
export const posterName = 'poster.jpg'
export const metadataName = 'metadata.json'

/**
 * Turns one local file into an HLS ladder with poster and metadata. What it returns has been looked at, not only written.
 * @param input absolute path of a file whose content nobody has vouched for
 * @param folder absolute path; made if it does not exist
 * @returns every file that belongs to the output, with its name below `folder`
 */
export const transcodeFile = async (
  input: string,
  folder: string,
  params: TranscodeParams,
  options: TranscodeOptions,
): Promise<Transcoded> => {
  const { tools, limits, signal } = options
  await mkdir(folder, { recursive: true })
  const source = await admitInput(input, { tools, limits, signal })
  const plan = planTranscode(source, params, tools.toneMaps)
  requireDisk(outputBytes(plan), await options.freeBytes(folder), source.bytes)

  const args = transcodeArguments(plan, { input, folder, pixels: limits.pixels })
  const { damage, stderr } = await runFfmpeg(args, {
    tools,
    durationS: plan.promised.videoS ?? plan.promised.wholeS,
    cpuLimitS: plan.cpuLimitS,
    stallMs: options.stallMs,
    signal,
    nowMs: options.nowMs,
    onProgress: (share) => options.onProgress('transcode', share),
  })

  options.onProgress('verify', 0)
  const output = await verifyOutput(plan, folder, { tools, signal }).catch(async (error: unknown) => {
    // Empty files after exit code 0 are how a disk that filled up meanwhile looks.
    requireDisk(0, await options.freeBytes(folder), source.bytes)
    throw diagnoseText(stderr) ?? error
  })
  const warnings = [...judgeOutput(plan, output), ...oddities(source, plan, damage)]
  await makePoster(output.renditions, folder, join(folder, posterName), { tools, signal })
  const metadata = describeTranscode({
    source,
    output,
    warnings,
    poster: posterName,
    ffmpeg: tools.ffmpeg.version,
  })
  await writeFile(join(folder, masterName), master(output))
  await writeFile(join(folder, metadataName), `${JSON.stringify(metadata, null, 2)}\n`)
  return { files: filesOf(folder, output), metadata }
}

/** Whether the output is as long as the input promised. With `onDamage: keep` a difference is a warning. Pure. */
export const judgeOutput = (
  { promised, params }: Pick<Plan, 'promised' | 'params'>,
  { renditions, audio }: CheckedOutput,
): TranscodeWarning[] => {
  const pictures = renditions.map(({ durationS }) => ({
    what: 'pictures',
    durationS,
    promisedS: promised.videoS,
  }))
  const sounds =
    audio === null ? [] : [{ what: 'sound', durationS: audio.durationS, promisedS: promised.audioS }]
  const parts = [...pictures, ...sounds]
  // Some containers know only how long the whole is. Then a part may be shorter than that, but not all of them.
  const longest = parts.toSorted((a, b) => b.durationS - a.durationS).slice(0, 1)
  const compared = parts.some(({ promisedS }) => promisedS !== undefined)
    ? parts
    : longest.map((part) => ({ ...part, promisedS: promised.wholeS }))
  const odd = compared
    .flatMap(({ promisedS, ...part }) => (promisedS === undefined ? [] : [{ ...part, promisedS }]))
    .map((part) => ({ ...part, verdict: judgeDuration(part.durationS, part.promisedS) }))
    .find((part) => part.verdict !== 'fits')
  if (odd === undefined) return []
  const detail = `it promises ${odd.promisedS.toFixed(1)} s, and ${odd.durationS.toFixed(1)} s of ${odd.what} could be read`
  const code = odd.verdict === 'short' ? 'INPUT_TRUNCATED' : 'INPUT_CORRUPT'
  const failure = new WorkerError(code, detail)
  if (params.onDamage === 'fail') throw failure
  return [{ code, message: failure.message }]
}

const oddities = (source: Source, plan: Plan, damage: number): TranscodeWarning[] => [
  ...(damage === 0
    ? []
    : [{ code: 'DAMAGED_FRAMES', message: 'Parts of the input are damaged and may show.', count: damage }]),
  ...(source.video.hdr !== 'none' && plan.toneMap === undefined
    ? [
        {
          code: 'HDR_NOT_TONE_MAPPED',
          message: 'The input is HDR and this ffmpeg has no zscale: the renditions look pale.',
        },
      ]
    : []),
  ...(source.audio === undefined && source.streams.some((stream) => stream.type === 'audio')
    ? [{ code: 'AUDIO_UNREADABLE', message: 'The audio is of a format that ffmpeg does not know.' }]
    : []),
  ...(source.streams.filter((stream) => stream.type === 'audio').length > 1
    ? [{ code: 'AUDIO_STREAMS_LEFT_OUT', message: 'Only the first of several audio streams was used.' }]
    : []),
]

const master = ({ renditions, audio }: CheckedOutput): string =>
  masterPlaylist(
    renditions.map((rendition) => ({ ...rendition, uri: rendition.playlist })),
    audio && { ...audio, uri: audio.playlist },
  )

/** In the order in which they may be published: what is named by others goes before them. */
const filesOf = (folder: string, { renditions, audio }: CheckedOutput): LocalFile[] => {
  const playlists = [...renditions, ...(audio === null ? [] : [audio])]
  const named: Omit<LocalFile, 'path'>[] = [
    ...playlists.map(({ init }) => ({ name: init, role: 'init' as const })),
    ...playlists.flatMap(({ segments }) =>
      segments.map(({ path }) => ({ name: path, role: 'segment' as const })),
    ),
    { name: posterName, role: 'poster' },
    ...playlists.map(({ playlist }) => ({ name: playlist, role: 'playlist' as const })),
    { name: metadataName, role: 'metadata' },
    { name: masterName, role: 'master' },
  ]
  return named.map((file) => ({ ...file, path: join(folder, file.name) }))
}
