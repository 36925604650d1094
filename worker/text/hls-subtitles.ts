import { createHash } from 'node:crypto'
import { type Manifest, type ManifestFile, manifestSchema } from '../../schemas/manifest.ts'
import { parseSafely } from '../../schemas/parse-safely.ts'
import { primaryLanguage } from './language.ts'

const group = 'subtitles'

export type SubtitleTrack = {
  /** As in RFC 5646; undefined: unknown. */
  language: string | undefined
  /** Of its media playlist, relative to the master playlist. */
  uri: string
}

/** Name for people, in English, as far as the language is known. Pure. */
export const languageName = (language: string | undefined): string | undefined => {
  try {
    return language === undefined
      ? undefined
      : new Intl.DisplayNames(['en'], { type: 'language' }).of(language)
  } catch {
    return undefined
  }
}

/**
 * A master playlist with a track of subtitles. A track with the same address is replaced, so that doing it twice is doing it
 * once. Nothing else is touched. Pure.
 * @returns undefined for what is no master playlist
 */
export const withSubtitles = (master: string, { language, uri }: SubtitleTrack): string | undefined => {
  const lines = master.split(/\r?\n/)
  if (lines[0] !== '#EXTM3U' || !lines.some((line) => line.startsWith('#EXT-X-STREAM-INF:'))) return undefined
  const others = lines.filter((line) => !isTrack(line, uri))
  const isFirst = !others.some((line) => line.startsWith('#EXT-X-MEDIA:TYPE=SUBTITLES,'))
  const name = quotable(languageName(language) ?? 'Subtitles')
  const track = [
    `#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="${group}",NAME="${freeName(name, others)}"`,
    // Shown when somebody asks for them, not before.
    `DEFAULT=NO,AUTOSELECT=${isFirst ? 'YES' : 'NO'},FORCED=NO`,
    ...(language === undefined ? [] : [`LANGUAGE="${quotable(language)}"`]),
    `URI="${uri}"`,
  ].join(',')
  const at = others.findIndex((line) => line.startsWith('#EXT-X-STREAM-INF:'))
  return [...others.slice(0, at), track, ...others.slice(at)]
    .map((line) =>
      line.startsWith('#EXT-X-STREAM-INF:') && !/[:,]SUBTITLES="/.test(line)
        ? `${line},SUBTITLES="${group}"`
        : line,
    )
    .join('\n')
}

const isTrack = (line: string, uri: string): boolean =>
  line.startsWith('#EXT-X-MEDIA:TYPE=SUBTITLES,') && line.endsWith(`URI="${uri}"`)

const quotable = (text: string): string => text.replace(/["\r\n]/g, '')

/** Names within a group must differ (RFC 8216, 4.3.4.1). */
const freeName = (name: string, lines: readonly string[]): string => {
  const isTaken = (candidate: string) =>
    lines.some(
      (line) => line.startsWith('#EXT-X-MEDIA:TYPE=SUBTITLES,') && line.includes(`NAME="${candidate}"`),
    )
  let free = name
  for (let number = 2; isTaken(free); number += 1) free = `${name} ${number}`
  return free
}

/** The address of the first rendition in a master playlist. Pure. */
export const firstVariant = (master: string): string | undefined => {
  const lines = master.split(/\r?\n/)
  const at = lines.findIndex((line) => line.startsWith('#EXT-X-STREAM-INF:'))
  return at < 0 ? undefined : lines.slice(at + 1).find((line) => line !== '' && !line.startsWith('#'))
}

/** A media playlist with all subtitles in one segment, as long as the pictures. Pure. */
export const subtitlePlaylist = (uri: string, durationS: number): string =>
  [
    '#EXTM3U',
    '#EXT-X-VERSION:7',
    `#EXT-X-TARGETDURATION:${Math.max(1, Math.ceil(durationS))}`,
    '#EXT-X-MEDIA-SEQUENCE:0',
    '#EXT-X-PLAYLIST-TYPE:VOD',
    `#EXTINF:${durationS.toFixed(3)},`,
    uri,
    '#EXT-X-ENDLIST',
    '',
  ].join('\n')

/** Where a track lies below the prefix of the HLS output. Pure. */
export const trackFolder = (language: string | undefined): string =>
  `subtitles/${language === undefined || primaryLanguage(language) === '' ? 'und' : language}/`

/**
 * A manifest that knows of the files that were added to its outputs or replaced among them. What was added stays when its own
 * job is repeated, and so it says who has. Pure.
 * @param by the job that has
 * @returns undefined for what is no manifest
 */
export const withFiles = (
  manifest: string,
  files: readonly ManifestFile[],
  by: string,
): string | undefined => {
  const parsed = parseSafely<Manifest>(manifestSchema, parseJson(manifest))
  if (!parsed.success) return undefined
  const added = new Map(files.map((file) => [file.key, file]))
  const kept = parsed.data.files.filter(({ key }) => !added.has(key))
  const own = new Set(parsed.data.files.flatMap(({ key, by }) => (by === undefined ? [key] : [])))
  const named = files.map((file) => (own.has(file.key) ? file : { ...file, by }))
  return `${JSON.stringify({ ...parsed.data, files: [...kept, ...named] }, null, 2)}\n`
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** What a manifest says of a text. Pure. */
export const fileOf = (
  key: string,
  text: string,
  { contentType, role }: Pick<ManifestFile, 'contentType' | 'role'>,
): ManifestFile => ({
  key,
  bytes: Buffer.byteLength(text),
  sha256: createHash('sha256').update(text).digest('hex'),
  contentType,
  role,
})
