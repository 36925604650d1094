import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  type PublishSubtitlesParams,
  type PublishSubtitlesResult,
  publishSubtitlesParamsSchema,
} from '../../schemas/kinds/publish-subtitles.ts'
import type { ManifestFile } from '../../schemas/manifest.ts'
import { manifestName } from '../../schemas/resources.ts'
import { WorkerError } from '../errors.ts'
import { masterName } from '../media/output-names.ts'
import { parseMediaPlaylist, playlistDurationS } from '../media/playlist.ts'
import { type Cue, cuesOf } from '../text/cues.ts'
import {
  fileOf,
  firstVariant,
  subtitlePlaylist,
  trackFolder,
  withFiles,
  withSubtitles,
} from '../text/hls-subtitles.ts'
import { srtOf } from '../text/srt.ts'
import { readTranscript } from '../text/transcript.ts'
import { vttOf } from '../text/vtt.ts'
import type { KindHandler, Work } from './handler.ts'
import { parseParams, readObject } from './parts.ts'

/** Subtitles out of a transcript, named after the input; on request also into the HLS output of a transcode. */
export const publishSubtitles: KindHandler = async (work) => {
  const { settings, log } = work
  const params = parseParams(publishSubtitlesParamsSchema, settings.params)
  work.tell({ stage: 'read', percent: 0 })
  const { words, language: heard } = readTranscript(await readObject(work, params.transcript))
  const language = params.language ?? heard
  const cues = cuesOf({ words, language })
  log.info({ words: words.length, cues: cues.length, language }, 'subtitles built')

  const texts = { srt: () => srtOf(cues), vtt: () => vttOf(cues) }
  const files: ManifestFile[] = []
  const keys: Partial<Record<'srt' | 'vtt', string>> = {}
  for (const format of new Set(params.formats)) {
    keys[format] = `${settings.output}${params.name}.${format}`
    files.push(await uploadAs(work, keys[format], texts[format](), 'subtitles'))
    work.tell({ stage: 'publish', percent: 50 })
  }
  const master =
    params.hlsPrefix === undefined ? undefined : await addToHls(work, params.hlsPrefix, cues, language)
  const result: PublishSubtitlesResult = {
    manifest: `${settings.output}${manifestName}`,
    ...keys,
    ...(master === undefined ? {} : { master }),
    language: language ?? null,
    cues: cues.length,
    words: words.length,
    speakers: new Set(words.flatMap(({ speaker }) => speaker ?? [])).size,
  }
  return { files, result }
}

const uploadAs = async (
  { scratch, storage, signal }: Work,
  key: string,
  text: string,
  role: ManifestFile['role'],
): Promise<ManifestFile> => {
  // Named by us: what users call their files may not be a name on this disk.
  const path = join(scratch, 'upload')
  await writeFile(path, text)
  return storage.upload(path, key, role, signal)
}

/**
 * The files of the track first, then the master playlist that names them, then the manifest that vouches for it. Each is the
 * same when it is done again, so that a crash in between is put right by the next attempt.
 */
const addToHls = async (
  work: Work,
  prefix: NonNullable<PublishSubtitlesParams['hlsPrefix']>,
  cues: readonly Cue[],
  language: string | undefined,
): Promise<string> => {
  const { storage, signal } = work
  const durationS = await hlsDurationS(work, prefix)
  const folder = trackFolder(language)
  const files = [
    await uploadAs(
      work,
      `${prefix}${folder}subtitles.vtt`,
      vttOf(cues, { mapsTimestamps: true }),
      'subtitles',
    ),
    await uploadAs(
      work,
      `${prefix}${folder}index.m3u8`,
      subtitlePlaylist('subtitles.vtt', durationS),
      'playlist',
    ),
  ]
  const key = `${prefix}${masterName}`
  // From here on it changes what another job has published, which no manifest of ours could take back.
  await work.confirm()
  const master = await storage.editText(
    key,
    (text) => {
      const edited = withSubtitles(text, { language, uri: `${folder}index.m3u8` })
      if (edited === undefined) throw notHls(key, 'it is no master playlist')
      return edited
    },
    signal,
  )
  const named = fileOf(key, master, { contentType: 'application/vnd.apple.mpegurl', role: 'master' })
  await storage.editText(
    `${prefix}${manifestName}`,
    (text) => {
      const edited = withFiles(text, [...files, named], work.environment.JOB_ID)
      if (edited === undefined) throw notHls(`${prefix}${manifestName}`, 'it is no manifest')
      return edited
    },
    signal,
  )
  return key
}

/** Players expect subtitles to be as long as the pictures. */
const hlsDurationS = async (work: Work, prefix: string): Promise<number> => {
  const bucket = work.environment.OUTPUTS_BUCKET
  const key = `${prefix}${masterName}`
  const variant = firstVariant(await readObject(work, { bucket, key }))
  if (variant === undefined || /^([a-z]+:|\/)|(^|\/)\.\.(\/|$)/i.test(variant))
    throw notHls(key, 'it names no rendition of its own')
  const playlist = parseMediaPlaylist(await readObject(work, { bucket, key: `${prefix}${variant}` }))
  const durationS = playlistDurationS(playlist)
  if (!playlist.ended || !(durationS > 0)) throw notHls(`${prefix}${variant}`, 'it has no end')
  return durationS
}

const notHls = (key: string, why: string): WorkerError =>
  new WorkerError('PLAYLIST_INVALID', `${key}: ${why}`)
