import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type FindScenesParams,
  type FindScenesResult,
  findScenesParamsSchema,
} from '../../schemas/kinds/find-scenes.ts'
import type { ManifestFile } from '../../schemas/manifest.ts'
import { manifestName } from '../../schemas/resources.ts'
import type { Scene, Scenes } from '../../schemas/scenes.ts'
import { WorkerError } from '../errors.ts'
import { freeBytesAt, requireDisk } from '../media/disk.ts'
import { requireSource } from '../media/gate.ts'
import { inputLimits, stallMs } from '../media/limits.ts'
import { runFfmpeg } from '../media/run.ts'
import {
  type Change,
  changeReader,
  pictureFor,
  pictureIntervalS,
  sceneArguments,
  sceneCpuLimitS,
  scenesOf,
} from '../media/scenes.ts'
import { judgeDuration } from '../media/verify.ts'
import type { KindHandler, Work } from './handler.ts'
import { type OpenedMedia, parseParams, stageTeller, withMedia } from './parts.ts'

const scenesName = 'scenes.json'

/** Where a video changes from one picture to another, with a picture of each scene. */
export const findScenes: KindHandler = async (work) => {
  const params = parseParams(findScenesParamsSchema, work.settings.params)
  const { settings, environment } = work
  const { scenes, pictures } = await withMedia(work, (media) =>
    media.probed.video === undefined
      ? Promise.resolve(withoutVideo(params, media))
      : look(work, params, media),
  )
  const files = await publish(work, scenes, pictures)
  const result: FindScenesResult = {
    manifest: `${settings.output}${manifestName}`,
    scenes: { bucket: environment.OUTPUTS_BUCKET, key: `${settings.output}${scenesName}` },
    count: scenes.scenes.length,
    durationS: scenes.durationS,
  }
  return { files, result }
}

type Found = {
  scenes: Scenes
  /** Local files by the name that they will have. */
  pictures: Map<string, string>
}

/** Sound has no scenes; whoever analyses it goes on without. */
const withoutVideo = ({ threshold }: FindScenesParams, { probed, tools }: OpenedMedia): Found => ({
  scenes: {
    schemaVersion: 1,
    durationS: probed.durationS ?? 0,
    threshold,
    scenes: [],
    warnings: [{ code: 'NO_VIDEO_STREAM', message: 'The input has no video, so it has no scenes.' }],
    ffmpeg: tools.ffmpeg.version,
  },
  pictures: new Map(),
})

/** A picture of 640 pixels as JPEG; the largest seen were half of it. */
const pictureBytes = 200_000

const look = async (
  work: Work,
  params: FindScenesParams,
  { served, probed, tools }: OpenedMedia,
): Promise<Found> => {
  const { scratch, signal, nowMs } = work
  const { durationS, video } = requireSource(probed, inputLimits)
  const intervalS = pictureIntervalS(durationS)
  requireDisk((durationS / intervalS + 2) * pictureBytes, await freeBytesAt(scratch), 0)
  const folder = join(scratch, 'pictures')
  await mkdir(folder)
  const changes = changeList()
  const { damage } = await runFfmpeg(sceneArguments({ input: served, folder, durationS }), {
    tools,
    durationS,
    cpuLimitS: sceneCpuLimitS(durationS),
    stallMs: stallMs * 2,
    signal,
    nowMs,
    onProgress: stageTeller(work, 'look', 90),
    onLine: changeReader(changes.add),
  })
  const failure = served.failure()
  if (failure !== undefined) throw failure
  const timesMs = (await readdir(folder)).map((name) => Number.parseInt(name, 10)).sort((a, b) => a - b)
  const lastMs = timesMs.at(-1)
  if (lastMs === undefined) throw new WorkerError('INPUT_UNREADABLE', 'not one picture of it could be read')
  const spans = scenesOf(changes.all(), { ...params, durationS })
  const pictures = new Map<string, string>()
  const scenes = spans.map((span, index): Scene => {
    const timeMs = pictureFor(span, timesMs)
    if (timeMs === undefined) return { ...span, picture: null }
    const picture = `scene-${String(index + 1).padStart(4, '0')}.jpg`
    pictures.set(picture, join(folder, `${timeMs}.jpg`))
    return { ...span, picture }
  })
  const readS = lastMs / 1000 + intervalS
  const warnings = [
    // One picture may be missing at the end, and the last one may have been shown for long.
    ...(judgeDuration(readS + intervalS, video.endS ?? durationS) === 'short'
      ? [
          {
            code: 'INPUT_TRUNCATED',
            message: `The input promises ${durationS.toFixed(1)} s, and pictures end at ${(lastMs / 1000).toFixed(1)} s.`,
          },
        ]
      : []),
    ...(damage === 0
      ? []
      : [{ code: 'DAMAGED_FRAMES', message: 'Parts of the input are damaged, which may look like scenes.' }]),
  ]
  return {
    scenes: {
      schemaVersion: 1,
      durationS,
      threshold: params.threshold,
      scenes,
      warnings,
      ffmpeg: tools.ffmpeg.version,
    },
    pictures,
  }
}

const mostChanges = 100_000

/** Changes, of which the weaker half goes when a flickering video has too many. */
const changeList = () => {
  let changes: Change[] = []
  return {
    add: (change: Change): void => {
      changes.push(change)
      if (changes.length < mostChanges) return
      changes = changes.sort((a, b) => b.score - a.score).slice(0, mostChanges / 2)
    },
    all: (): Change[] => changes,
  }
}

const publish = async (
  work: Work,
  scenes: Scenes,
  pictures: Map<string, string>,
): Promise<ManifestFile[]> => {
  const { storage, settings, scratch, signal } = work
  const files: ManifestFile[] = []
  for (const [name, path] of pictures) {
    files.push(await storage.upload(path, `${settings.output}${name}`, 'picture', signal))
    work.tell({ stage: 'upload', percent: 90 + Math.floor((files.length / pictures.size) * 9) })
  }
  const list = join(scratch, scenesName)
  await writeFile(list, `${JSON.stringify(scenes, null, 2)}\n`)
  return [...files, await storage.upload(list, `${settings.output}${scenesName}`, 'scenes', signal)]
}
