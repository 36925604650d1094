import { mkdir, open } from 'node:fs/promises'
import { join } from 'node:path'
import { WorkerError } from '../errors.ts'
import { runArguments } from './arguments.ts'
import type { Plan } from './command.ts'
import { ownPlaylistGuard } from './limits.ts'
import { downloadFolder } from './output-names.ts'
import { probeOwn } from './own-probe.ts'
import { type RunOptions, runFfmpeg } from './run.ts'
import { type CheckedAudio, type CheckedOutput, type CheckedRendition, judgeDuration } from './verify.ts'

export type Download = {
  rendition: string
  file: string
  width: number
  height: number
  durationS: number
  bytes: number
}

/** Which rungs become an MP4 file as well. Pure. */
export const mp4Rungs = ({ rungs, params }: Pick<Plan, 'rungs' | 'params'>): Plan['rungs'] => {
  const { mp4 } = params
  if (mp4 === 'none') return []
  return mp4 === 'all' ? rungs : rungs.filter(({ name }) => mp4.some((height) => name === `${height}p`))
}

/** Our AAC encoder puts so many samples before the first that is heard. */
const primingSamples = 1024

/**
 * Where the two inputs stand on the timeline of the file. Read apart, each would start at zero, and sound would come late by
 * the samples that the encoder puts in front, or as much earlier as it began later. Together the earlier one starts at
 * zero; a start before zero is what MP4 does not play. Pure.
 */
export const mp4Offsets = (
  videoStartS: number,
  audio: { startS: number; sampleRateHz: number },
): { videoS: number; audioS: number } => {
  const heardS = audio.startS + primingSamples / audio.sampleRateHz
  const zeroS = Math.min(videoStartS, heardS)
  return { videoS: videoStartS - zeroS, audioS: audio.startS - zeroS }
}

/** Arguments that put a rendition and its sound into one MP4 file without encoding anything anew. Pure. */
export const mp4Arguments = (
  {
    video,
    audio,
    file,
  }: {
    /** Absolute paths of playlists. */
    video: { path: string; startS: number }
    audio: { path: string; startS: number; sampleRateHz: number } | null
    file: string
  },
  cpuS: number,
): string[] => {
  const offsets = audio === null ? { videoS: 0, audioS: 0 } : mp4Offsets(video.startS, audio)
  const input = (path: string, offsetS: number) => [
    ...(Math.abs(offsetS) < 0.0005 ? [] : ['-itsoffset', offsetS.toFixed(6)]),
    ...[...ownPlaylistGuard, '-i', `file:${path}`],
  ]
  return [
    ...runArguments(cpuS),
    ...input(video.path, offsets.videoS),
    ...(audio === null ? [] : input(audio.path, offsets.audioS)),
    ...['-map', '0:v:0', ...(audio === null ? [] : ['-map', '1:a:0'])],
    // The index at the front lets a player begin before it has the whole file.
    ...['-c', 'copy', '-map_metadata', '-1', '-movflags', '+faststart', '-f', 'mp4', `file:${file}`],
  ]
}

const remuxCpuS = (durationS: number): number => Math.ceil(600 + durationS)

/**
 * One MP4 file for each rendition that is asked for, looked at.
 * @throws WorkerError OUTPUT_INVALID and those of `runFfmpeg`
 */
export const makeMp4s = async (
  plan: Pick<Plan, 'rungs' | 'params'>,
  { renditions, audio }: CheckedOutput,
  folder: string,
  options: Omit<RunOptions, 'cpuLimitS' | 'durationS'>,
): Promise<Download[]> => {
  const wanted = new Set(mp4Rungs(plan).map(({ name }) => name))
  const chosen = renditions.filter(({ name }) => wanted.has(name))
  if (chosen.length > 0) await mkdir(join(folder, downloadFolder), { recursive: true })
  const downloads: Download[] = []
  for (const [index, rendition] of chosen.entries()) {
    const onProgress = (share: number) => options.onProgress((index + share) / chosen.length)
    downloads.push(await makeMp4(rendition, audio, folder, { ...options, onProgress }))
  }
  return downloads
}

const makeMp4 = async (
  rendition: CheckedRendition,
  audio: CheckedAudio | null,
  folder: string,
  options: Omit<RunOptions, 'cpuLimitS' | 'durationS'>,
): Promise<Download> => {
  const file = `${downloadFolder}/${rendition.name}.mp4`
  const path = join(folder, file)
  const cpuS = remuxCpuS(rendition.durationS)
  const args = mp4Arguments(
    {
      video: { ...rendition, path: join(folder, rendition.playlist) },
      audio: audio && { ...audio, path: join(folder, audio.playlist) },
      file: path,
    },
    cpuS,
  )
  await runFfmpeg(args, { ...options, durationS: rendition.durationS, cpuLimitS: cpuS })
  return { ...(await verifyMp4(path, file, rendition, audio, options)), rendition: rendition.name, file }
}

const verifyMp4 = async (
  path: string,
  name: string,
  rendition: CheckedRendition,
  audio: CheckedAudio | null,
  options: Parameters<typeof probeOwn>[1],
): Promise<Pick<Download, 'width' | 'height' | 'durationS' | 'bytes'>> => {
  const streams = await probeOwn(path, options)
  const video = streams.find((stream) => stream.codec_type === 'video')
  const durationS = Number(video?.duration)
  if (streams.length !== (audio === null ? 1 : 2) || video?.packets !== rendition.frames)
    throw invalid(`${name} has ${video?.packets ?? 0} frames, the rendition has ${rendition.frames}`)
  if (judgeDuration(durationS, rendition.durationS) !== 'fits')
    throw invalid(`${name} lasts ${durationS} s, the rendition ${rendition.durationS} s`)
  const { bytes, indexFirst } = await readBoxes(path)
  if (!indexFirst) throw invalid(`${name} has its index at the end`)
  return { width: rendition.width, height: rendition.height, durationS, bytes }
}

/** Whether the index (`moov`) of an MP4 file stands before its content (`mdat`). */
const readBoxes = async (path: string): Promise<{ bytes: number; indexFirst: boolean }> => {
  const file = await open(path, 'r')
  try {
    const { size: bytes } = await file.stat()
    const head = Buffer.alloc(16)
    for (let at = 0; at < bytes; ) {
      await file.read(head, 0, 16, at)
      const type = head.toString('latin1', 4, 8)
      if (type === 'moov' || type === 'mdat') return { bytes, indexFirst: type === 'moov' }
      const short = head.readUInt32BE(0)
      const length = short === 1 ? Number(head.readBigUInt64BE(8)) : short
      if (length < 8) break
      at += length
    }
    return { bytes, indexFirst: false }
  } finally {
    await file.close()
  }
}

const invalid = (detail: string): WorkerError => new WorkerError('OUTPUT_INVALID', detail)
