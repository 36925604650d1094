import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { clipMaker, npmMediaTools } from '../../support/clips.ts'
import type { Call } from './requests.ts'
import {
  brokenUpload,
  containerByMessage,
  fewerOutputs,
  longVideo,
  looks,
  missingImage,
  missingInputs,
  recordings,
  scarcity,
  sound,
  tableOutage,
  torrents,
  transcripts,
  unreadableMessage,
  uploadByLink,
  wishes,
} from './runs.ts'
import { startWorld, type World } from './world.ts'

/** Every call of every role while an installation is used in all the ways there are. */
export type Recording = {
  controller: Call[]
  media: Call[]
  internet: Call[]
  /** Of the jobs that succeeded. */
  kinds: Set<string>
}

/** So many parts that there is time to break off. */
const largeBytes = 64 * 1024 * 1024

/** @param environment of the controller, as the infrastructure sets it */
export async function recordRuns(environment: Record<string, string>): Promise<Recording> {
  const scratch = await mkdtemp(join(tmpdir(), 'iam-'))
  const tools = await npmMediaTools(scratch)
  const makeClip = clipMaker(scratch, tools)
  const clip = await makeClip('short.mp4')
  const sixChannels = await makeClip('surround.mp4')
  const film = await makeClip('plain.mp4')
  const large = join(scratch, 'large.mp4')
  await writeFile(large, '')
  await truncate(large, largeBytes)
  const world = await startWorld({
    ...environment,
    FFMPEG_PATH: tools.ffmpeg.path,
    FFPROBE_PATH: tools.ffprobe.path,
    PRIVATE_SOURCES: '127.0.0.1',
  })
  try {
    await Promise.all([
      uploadByLink(world, clip),
      missingInputs(world),
      containerByMessage(world),
      missingImage(world),
      fewerOutputs(world, clip),
      longVideo(world, film),
      sound(world, clip),
      torrents(world, clip),
      recordings(world, tools),
      wishes(world),
      unreadableMessage(world),
      brokenUpload(world, large),
      transcripts(world, clip, sixChannels),
    ])
    await tableOutage(world)
    await scarcity(world)
    await looks(world)
    const { controller, media, internet } = world.recorders
    return {
      controller: controller.calls,
      media: media.calls,
      internet: internet.calls,
      kinds: await succeededKinds(world),
    }
  } finally {
    await world.close()
    await rm(scratch, { recursive: true, force: true })
  }
}

async function succeededKinds({ call }: World): Promise<Set<string>> {
  const { body } = await call('GET', '/jobs?phase=Succeeded&limit=1000')
  return new Set((body as { jobs: { kind: string }[] }).jobs.map(({ kind }) => kind))
}
