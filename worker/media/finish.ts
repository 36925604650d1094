import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FileRole } from '../../schemas/manifest.ts'
import type { TranscodeMetadata, TranscodeWarning } from '../../schemas/metadata.ts'
import type { MediaTools } from '../ffmpeg.ts'
import type { Plan } from './command.ts'
import { diagnoseText } from './diagnose.ts'
import { requireDisk } from './disk.ts'
import type { Source } from './gate.ts'
import { judgeOutput, oddities } from './judge.ts'
import { measureLoudness } from './loudness.ts'
import { describeTranscode } from './metadata.ts'
import { makeMp4s } from './mp4.ts'
import { masterName, metadataName, posterName } from './output-names.ts'
import { masterPlaylist } from './playlist.ts'
import { makePoster } from './poster.ts'
import type { RunEnd, RunOptions } from './run.ts'
import { makeStills } from './stills.ts'
import { type CheckedAudio, type CheckedOutput, verifyOutput } from './verify.ts'

export type LocalFile = { path: string; name: string; role: FileRole }

/** Every file that belongs to an output, in the order in which they may be published, and what is said about them. */
export type Transcoded = { files: LocalFile[]; metadata: TranscodeMetadata }

/** What has been encoded, by one run of ffmpeg or by many whose pieces were joined. */
export type Encoded = RunEnd & {
  source: Source
  plan: Plan
  /** How many pieces were joined; absent: it was encoded in one. */
  shards?: number
  /** What was odd before. */
  warnings?: readonly TranscodeWarning[]
}

export type FinishStage = 'verify' | 'pictures' | 'loudness' | 'mp4'

export type FinishOptions = {
  tools: MediaTools
  stallMs: number
  signal: AbortSignal
  /** Called with the share of the stage that is done. */
  onProgress: (stage: FinishStage, share: number) => void
  freeBytes: (path: string) => Promise<number>
  nowMs: () => number
}

/**
 * Makes an output out of encoded renditions: looks at every one of them, since exit code 0 is no proof, and adds what is
 * made from them: pictures, master playlist, metadata.
 * @param folder absolute path of the folder in which `plan.rungs` and the audio have a folder with a playlist each
 * @throws WorkerError OUTPUT_INVALID, INPUT_TRUNCATED, INPUT_CORRUPT, DISK_FULL
 */
export const finishTranscode = async (
  { source, plan, damage, stderr, shards, warnings: before = [] }: Encoded,
  folder: string,
  options: FinishOptions,
): Promise<Transcoded> => {
  const { tools, signal, onProgress } = options
  onProgress('verify', 0)
  const output = await verifyOutput(plan, folder, { tools, signal }).catch(async (error: unknown) => {
    // Empty files after exit code 0 are how a disk that filled up meanwhile looks.
    requireDisk(0, await options.freeBytes(folder), source.bytes)
    throw diagnoseText(stderr) ?? error
  })
  const warnings = [...before, ...judgeOutput(plan, output), ...oddities(source, plan, damage)]
  const during = (stage: FinishStage) => ({
    ...options,
    onProgress: (share: number) => onProgress(stage, share),
  })

  onProgress('pictures', 0)
  await makePoster(output.renditions, folder, join(folder, posterName), { tools, signal })
  const stills = await makeStills(plan, output.renditions, folder, during('pictures'))
  onProgress('loudness', 0)
  const loudness = output.audio && (await loudnessOf(output.audio, folder, during('loudness')))
  onProgress('mp4', 0)
  const downloads = await makeMp4s(plan, output, folder, during('mp4'))

  const metadata = describeTranscode({
    source,
    output,
    warnings,
    poster: posterName,
    stills,
    loudness,
    downloads,
    ...(shards === undefined ? {} : { shards }),
    ffmpeg: tools.ffmpeg.version,
  })
  await writeFile(join(folder, masterName), master(output))
  await writeFile(join(folder, metadataName), `${JSON.stringify(metadata, null, 2)}\n`)
  return { files: filesOf(folder, output, metadata), metadata }
}

const loudnessOf = (
  { playlist, durationS }: CheckedAudio,
  folder: string,
  options: Omit<RunOptions, 'cpuLimitS' | 'durationS'>,
) => measureLoudness(join(folder, playlist), { ...options, durationS })

const master = ({ renditions, audio }: CheckedOutput): string =>
  masterPlaylist(
    renditions.map((rendition) => ({ ...rendition, uri: rendition.playlist })),
    audio && { ...audio, uri: audio.playlist },
  )

/** In the order in which they may be published: what is named by others goes before them. */
const filesOf = (
  folder: string,
  { renditions, audio }: CheckedOutput,
  { thumbnails, storyboard, downloads }: TranscodeMetadata,
): LocalFile[] => {
  const playlists = [...renditions, ...(audio === null ? [] : [audio])]
  const named: Omit<LocalFile, 'path'>[] = [
    ...playlists.map(({ init }) => ({ name: init, role: 'init' as const })),
    ...playlists.flatMap(({ segments }) =>
      segments.map(({ path }) => ({ name: path, role: 'segment' as const })),
    ),
    { name: posterName, role: 'poster' },
    ...thumbnails.map(({ file }) => ({ name: file, role: 'thumbnail' as const })),
    ...(storyboard === null ? [] : [...storyboard.sheets, storyboard.file]).map((name) => ({
      name,
      role: 'storyboard' as const,
    })),
    ...downloads.map(({ file }) => ({ name: file, role: 'download' as const })),
    ...playlists.map(({ playlist }) => ({ name: playlist, role: 'playlist' as const })),
    { name: metadataName, role: 'metadata' },
    { name: masterName, role: 'master' },
  ]
  return named.map((file) => ({ ...file, path: join(folder, file.name) }))
}
