import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { WorkerError } from '../errors.ts'
import { runArguments } from './arguments.ts'
import { jpegFilters, type Plan } from './command.ts'
import { keyFrameInterval } from './ladder.ts'
import { ownPlaylistGuard } from './limits.ts'
import { storyboardName, thumbnailFolder } from './output-names.ts'
import { quotient } from './probe.ts'
import { type RunOptions, runFfmpeg } from './run.ts'
import {
  columns,
  everyKeyFrames,
  maxTiles,
  rows,
  sheetCount,
  sheetName,
  storyboardVtt,
  tileSize,
} from './storyboard.ts'
import type { CheckedRendition } from './verify.ts'

export type Thumbnail = { file: string; atS: number }
export type Storyboard = {
  file: string
  sheets: string[]
  tiles: number
  tileWidth: number
  tileHeight: number
}
export type Stills = { thumbnails: Thumbnail[]; storyboard: Storyboard | null }

/** Pictures further apart than this would be no previews. */
const tilesApartS = 2
const maxThumbnails = 200
/** Large enough for a list of chapters, small enough to be decoded in passing. */
const enoughPixels = 360

type Size = { width: number; height: number }
/** Every how manieth key frame is taken for each purpose; undefined where there is none of it. */
export type StillsPlan = {
  thumbnails: { every: number; folder: string } | undefined
  tiles: { every: number; folder: string; size: Size } | undefined
}

/**
 * Thumbnails and the storyboard. Both come from the key frames of one small rendition, which costs a hundredth of what
 * decoding the input once more would.
 * @throws WorkerError OUTPUT_INVALID and those of `runFfmpeg`
 */
export const makeStills = async (
  plan: Pick<Plan, 'params' | 'rate'>,
  renditions: readonly CheckedRendition[],
  folder: string,
  options: Omit<RunOptions, 'cpuLimitS' | 'durationS'>,
): Promise<Stills> => {
  const rendition = smallEnough(renditions)
  const stills = planStills(plan, rendition, folder)
  if (stills.thumbnails === undefined && stills.tiles === undefined)
    return { thumbnails: [], storyboard: null }
  for (const each of [stills.thumbnails, stills.tiles])
    if (each !== undefined) await mkdir(each.folder, { recursive: true })
  const cpuS = stillsCpuS(rendition.durationS)
  await runFfmpeg(stillsArguments(join(folder, rendition.playlist), stills, cpuS), {
    ...options,
    durationS: rendition.durationS,
    cpuLimitS: cpuS,
  })
  return {
    thumbnails: stills.thumbnails === undefined ? [] : await thumbnailsIn(stills.thumbnails.folder),
    storyboard:
      stills.tiles === undefined
        ? null
        : await makeStoryboard(stills.tiles, rendition.durationS, folder, options),
  }
}

/** The smallest rendition that is large enough for a thumbnail, or else the largest. Pure. */
export const smallEnough = <R extends Size>(renditions: readonly R[]): R => {
  const shortSide = ({ width, height }: Size) => Math.min(width, height)
  const ascending = renditions.toSorted((a, b) => shortSide(a) - shortSide(b))
  const chosen = ascending.find((each) => shortSide(each) >= enoughPixels) ?? ascending.at(-1)
  if (chosen === undefined) throw new WorkerError('OUTPUT_INVALID', 'there are no renditions')
  return chosen
}

/** Which key frames become what. Pure. */
export const planStills = (
  { params, rate }: Pick<Plan, 'params' | 'rate'>,
  rendition: Size & { durationS: number },
  folder: string,
): StillsPlan => {
  const timing = { durationS: rendition.durationS, spacingS: keyFrameInterval(rate) / quotient(rate) }
  const { thumbnailSeconds: apartS, storyboard } = params
  return {
    thumbnails:
      apartS === 0
        ? undefined
        : {
            every: everyKeyFrames(timing, { apartS, most: maxThumbnails }),
            folder: join(folder, thumbnailFolder),
          },
    tiles: storyboard
      ? {
          every: everyKeyFrames(timing, { apartS: tilesApartS, most: maxTiles }),
          folder: join(folder, 'tiles'),
          size: tileSize(rendition),
        }
      : undefined,
  }
}

const stillsCpuS = (durationS: number): number => Math.ceil(600 + durationS)

/**
 * Arguments that decode only the key frames of a finished rendition and write some of them as pictures, each named by its
 * milliseconds. They are not put together here: ffmpeg tells no progress before every output has had its first frame,
 * which of a sheet is that of the 25th picture. Pure.
 * @param playlist absolute path
 */
export const stillsArguments = (
  playlist: string,
  { thumbnails, tiles }: StillsPlan,
  cpuS: number,
): string[] => {
  const branches = [
    ...(thumbnails === undefined
      ? []
      : [{ ...thumbnails, label: 'thumbnails', resize: 'null', quality: '3', name: 'thumbnail_%08d.jpg' }]),
    ...(tiles === undefined
      ? []
      : [
          {
            ...tiles,
            label: 'tiles',
            resize: `scale=${tiles.size.width}:${tiles.size.height}`,
            quality: '2',
            name: '%08d.jpg',
          },
        ]),
  ]
  const heads = branches.map(({ label }) => `[${label}_in]`).join('')
  const graph = [
    `[0:V:0]split=${branches.length}${heads}`,
    ...branches.map(
      ({ label, every, resize }) =>
        `[${label}_in]select='not(mod(n\\,${every}))',${resize},${jpegFilters}[${label}]`,
    ),
  ].join(';')
  return [
    ...runArguments(cpuS),
    ...['-skip_frame', 'nokey'],
    ...ownPlaylistGuard,
    ...['-i', `file:${playlist}`, '-filter_complex', graph],
    ...branches.flatMap(({ label, folder, quality, name }) => [
      ...['-map', `[${label}]`, '-fps_mode', 'passthrough', '-enc_time_base', '1:1000'],
      ...['-q:v', quality, '-f', 'image2', '-frame_pts', '1', `file:${folder}/${name}`],
    ]),
  ]
}

/** Arguments that put numbered pictures together into sheets. Pure. */
export const sheetArguments = (tiles: string, sheets: string): string[] => [
  ...runArguments(undefined),
  ...['-protocol_whitelist', 'file', '-format_whitelist', 'image2', '-f', 'image2', '-framerate', '1'],
  ...['-i', `file:${tiles}/tile_%05d.jpg`, '-vf', `tile=${columns}x${rows}`, '-fps_mode', 'passthrough'],
  ...['-q:v', '4', '-f', 'image2', `file:${sheets}/storyboard_%03d.jpg`],
]

const thumbnailsIn = async (folder: string): Promise<Thumbnail[]> => {
  const names = (await readdir(folder)).sort()
  await requirePictures(names.map((name) => join(folder, name)))
  return names.map((name) => ({ file: `${thumbnailFolder}/${name}`, atS: millisecondsOf(name) / 1000 }))
}

const makeStoryboard = async (
  { folder: tiles, size }: NonNullable<StillsPlan['tiles']>,
  durationS: number,
  folder: string,
  options: Omit<RunOptions, 'cpuLimitS' | 'durationS'>,
): Promise<Storyboard> => {
  const names = (await readdir(tiles)).sort()
  const timesMs = names.map(millisecondsOf)
  await requirePictures(names.map((name) => join(tiles, name)))
  for (const [index, name] of names.entries())
    await rename(join(tiles, name), join(tiles, `tile_${String(index + 1).padStart(5, '0')}.jpg`))
  await runFfmpeg(sheetArguments(tiles, folder), {
    ...options,
    onProgress: () => undefined,
    durationS: names.length,
    cpuLimitS: stillsCpuS(names.length),
  })
  await rm(tiles, { recursive: true })
  const sheets = Array.from({ length: sheetCount(names.length) }, (_, sheet) => sheetName(sheet))
  await requirePictures(sheets.map((name) => join(folder, name)))
  await writeFile(join(folder, storyboardName), storyboardVtt(timesMs, size, durationS))
  return { file: storyboardName, sheets, tiles: names.length, tileWidth: size.width, tileHeight: size.height }
}

const millisecondsOf = (name: string): number => Number(/(\d+)\.jpg$/.exec(name)?.[1])

const requirePictures = async (paths: readonly string[]): Promise<void> => {
  const sizes = await Promise.all(
    paths.map((path) =>
      stat(path).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  )
  if (sizes.length === 0 || sizes.includes(0))
    throw new WorkerError(
      'OUTPUT_INVALID',
      'pictures that should have been made of the renditions are not there',
    )
}
