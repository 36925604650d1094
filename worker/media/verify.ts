import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { WorkerError } from '../errors.ts'
import type { Color } from './color.ts'
import { audioFolder, type Plan, playlistName } from './command.ts'
import { type OwnStream, probeOwn, type VerifyOptions } from './own-probe.ts'
import {
  aacCodec,
  avcCodec,
  listedFiles,
  type MediaPlaylist,
  measureRates,
  parseMediaPlaylist,
  playlistDurationS,
  playlistProblems,
  type Rates,
} from './playlist.ts'
import { quotient } from './probe.ts'

export type CheckedPlaylist = Rates & {
  name: string
  /** Path of the playlist below the folder of all outputs. */
  playlist: string
  /** Paths below the folder of all outputs. */
  init: string
  segments: { path: string; durationS: number }[]
  durationS: number
  bytes: number
  codecs: string
  /** When its first picture is shown or its first sample stands, on the timeline that all playlists share. */
  startS: number
}
export type CheckedRendition = CheckedPlaylist & {
  width: number
  height: number
  frameRate: number
  frames: number
  color: Color
}
export type CheckedAudio = CheckedPlaylist & { channels: number; sampleRateHz: number }
export type CheckedOutput = { renditions: CheckedRendition[]; audio: CheckedAudio | null }

/**
 * Looks at what ffmpeg has written, because its exit code 0 is no proof: every playlist is whole, every file in it is
 * there, and ffprobe finds the promised pictures and sounds in it. Durations are reported here and judged by
 * `judgeOutput`.
 * @throws WorkerError OUTPUT_INVALID, naming what is wrong
 */
export const verifyOutput = async (
  plan: Plan,
  folder: string,
  options: VerifyOptions,
): Promise<CheckedOutput> => {
  const [audio, ...renditions] = await Promise.all([
    plan.audio === undefined ? null : verifyAudio(folder, options),
    ...plan.rungs.map((rung) => verifyRendition(plan, rung, folder, options)),
  ])
  const counts = new Set(renditions.map((rendition) => rendition.segments.length))
  if (counts.size > 1)
    throw invalid('the renditions have different numbers of segments, so their key frames differ')
  return { renditions, audio }
}

const verifyRendition = async (
  plan: Plan,
  rung: Plan['rungs'][number],
  folder: string,
  options: VerifyOptions,
): Promise<CheckedRendition> => {
  const { checked, initBytes } = await verifyPlaylist(rung.name, folder)
  const stream = await probeOnly(join(folder, checked.playlist), options)
  const codecs = avcCodec(initBytes)
  if (stream.codec_name !== 'h264' || codecs === undefined) throw invalid(`${rung.name} is not H.264`)
  if (stream.width !== rung.width || stream.height !== rung.height)
    throw invalid(`${rung.name} is ${stream.width} x ${stream.height}, not ${rung.width} x ${rung.height}`)
  if (stream.pix_fmt !== 'yuv420p') throw invalid(`${rung.name} has pictures of format ${stream.pix_fmt}`)
  const color = colorOf(stream)
  if (
    color.primaries !== plan.color.primaries ||
    color.transfer !== plan.color.transfer ||
    color.matrix !== plan.color.matrix
  )
    throw invalid(`${rung.name} is marked with the colors ${wordsFor(color)}, not ${wordsFor(plan.color)}`)
  const frameRate = quotient(plan.rate)
  const { packets, startS } = stream
  if (Math.abs(packets - checked.durationS * frameRate) > Math.max(2, packets * 0.02))
    throw invalid(`${rung.name} has ${packets} frames in ${checked.durationS.toFixed(3)} s`)
  return {
    ...checked,
    codecs,
    width: rung.width,
    height: rung.height,
    frameRate,
    frames: packets,
    color,
    startS,
  }
}

const verifyAudio = async (folder: string, options: VerifyOptions): Promise<CheckedAudio> => {
  const { checked } = await verifyPlaylist(audioFolder, folder)
  const stream = await probeOnly(join(folder, checked.playlist), options)
  if (stream.codec_name !== 'aac' || stream.profile !== 'LC') throw invalid('the audio is not AAC-LC')
  if (stream.channels !== 2) throw invalid(`the audio has ${stream.channels} channels`)
  return {
    ...checked,
    codecs: aacCodec,
    channels: stream.channels,
    sampleRateHz: Number(stream.sample_rate),
    startS: stream.startS,
  }
}

const verifyPlaylist = async (
  name: string,
  folder: string,
): Promise<{ checked: Omit<CheckedPlaylist, 'codecs' | 'startS'>; initBytes: Buffer }> => {
  const own = join(folder, name)
  const files = await readdir(own).catch((): string[] => [])
  const sizes = new Map(
    await Promise.all(files.map(async (file) => [file, (await stat(join(own, file))).size] as const)),
  )
  const playlist = await readPlaylist(join(own, playlistName))
  const problems = playlistProblems(playlist, (uri) => sizes.get(uri))
  const { init } = playlist
  if (problems.length > 0 || init === undefined)
    throw invalid(`${name}/${playlistName} ${problems.slice(0, 3).join(', ')}`)
  return {
    checked: {
      name,
      playlist: `${name}/${playlistName}`,
      init: `${name}/${init}`,
      segments: playlist.segments.map(({ uri, durationS }) => ({ path: `${name}/${uri}`, durationS })),
      durationS: playlistDurationS(playlist),
      bytes: listedFiles(playlist).reduce((sum, uri) => sum + (sizes.get(uri) ?? 0), 0),
      ...measureRates(playlist, (uri) => sizes.get(uri)),
    },
    initBytes: await readFile(join(own, init)),
  }
}

const colorOf = (stream: OwnStream): Color => ({
  primaries: stream.color_primaries ?? 'unknown',
  transfer: stream.color_transfer ?? 'unknown',
  matrix: stream.color_space ?? 'unknown',
})

const wordsFor = ({ primaries, transfer, matrix }: Color): string => `${primaries}/${transfer}/${matrix}`

const readPlaylist = async (path: string): Promise<MediaPlaylist> =>
  parseMediaPlaylist(await readFile(path, 'utf8').catch(() => ''))

const probeOnly = async (path: string, options: VerifyOptions): Promise<OwnStream> => {
  const [stream, ...others] = await probeOwn(path, options)
  if (stream === undefined || others.length > 0)
    throw invalid(`${path.split('/').at(-2)} has several streams in it`)
  return stream
}

const invalid = (detail: string): WorkerError => new WorkerError('OUTPUT_INVALID', detail)

export type DurationVerdict = 'fits' | 'short' | 'long'

/** Whether an output is as long as the input promised: within half a second or 2 %, whichever is more. Pure. */
export const judgeDuration = (outputS: number, promisedS: number): DurationVerdict => {
  const toleranceS = Math.max(0.5, promisedS * 0.02)
  if (outputS < promisedS - toleranceS) return 'short'
  return outputS > promisedS + toleranceS ? 'long' : 'fits'
}
