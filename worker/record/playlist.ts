import type { Recording, RecordingEnd } from '../../schemas/recording.ts'

/** Where recording began anew: the first of all, or after a gap. */
export type Start = {
  at: string
  /** Seconds for which nothing was recorded; 0 for the first. */
  gapS: number
}

export type RecordedSegment = {
  name: string
  durationS: number
  bytes: number
  sha256: string
  start?: Start
}

/**
 * Everything that is known of a recording. It stands in the playlist itself, in comments that players leave alone: so one
 * object, written in one piece, is what a player reads and what the next attempt goes on from.
 */
export type RecordingState = {
  /** uid of the job: another one starts its own. */
  owner: string
  segments: readonly RecordedSegment[]
  end: RecordingEnd | undefined
  /**
   * Up to which second a source that has an end is recorded; or that the source had none. Undefined: nothing is recorded, or a
   * worker wrote it that did not say so.
   */
  position?: number | 'live' | undefined
  /** An attempt gave up because the source was there and brought nothing, and nothing was recorded since. */
  isSilent?: boolean
}

export const playlistName = 'index.m3u8'
export const recordingName = 'recording.json'

/** The number of a segment comes first, so that names sort; attempt and launch keep those of two tasks apart. */
export const segmentName = (number: number, fence: string): string => {
  const [, attempt = '0', launch = '0'] = fence.split('/')
  return `segments/${String(number).padStart(6, '0')}-${attempt}-${launch}.ts`
}

/** A live playlist may not change its target duration (RFC 8216, 6.2.1), and segments wait for a key frame. */
const targetS = (segments: readonly RecordedSegment[], segmentSeconds: number): number =>
  segments.reduce((longest, { durationS }) => Math.max(longest, Math.ceil(durationS)), 2 * segmentSeconds)

export const renderPlaylist = (
  { owner, segments, end, position, isSilent = false }: RecordingState,
  segmentSeconds: number,
): string =>
  [
    '#EXTM3U',
    '#EXT-X-VERSION:6',
    '#EXT-X-PLAYLIST-TYPE:EVENT',
    `#EXT-X-TARGETDURATION:${targetS(segments, segmentSeconds)}`,
    '#EXT-X-MEDIA-SEQUENCE:0',
    '#EXT-X-INDEPENDENT-SEGMENTS',
    // Before the line of the owner, where workers that do not know these look at nothing.
    ...(position === undefined ? [] : [`#source ${position === 'live' ? position : position.toFixed(6)}`]),
    ...(isSilent ? [silentMark] : []),
    `#recording ${owner}`,
    ...segments.flatMap((segment, index) => segmentLines(segment, index === 0)),
    ...(end === undefined ? [] : [`#end ${end}`, '#EXT-X-ENDLIST']),
    '',
  ].join('\n')

const silentMark = '#silent'

const segmentLines = (
  { name, durationS, bytes, sha256, start }: RecordedSegment,
  isFirst: boolean,
): string[] => [
  ...(start === undefined || isFirst ? [] : ['#EXT-X-DISCONTINUITY', `#gap ${start.gapS.toFixed(3)}`]),
  ...(start === undefined ? [] : [`#EXT-X-PROGRAM-DATE-TIME:${start.at}`]),
  `#file ${bytes} ${sha256}`,
  `#EXTINF:${durationS.toFixed(6)},`,
  name,
]

/** Reads what `renderPlaylist` wrote. Undefined: it is something else, or not all of it. */
export const parsePlaylist = (text: string): RecordingState | undefined => {
  const owner = /^#recording (\S+)$/m.exec(text)?.[1]
  const [head = '', body] = text.split(/^#recording \S+\n/m)
  if (!text.startsWith('#EXTM3U\n') || owner === undefined || body === undefined) return undefined
  const end = /^#end (maxDuration|maxBytes|ended|gone|cancelled)\n#EXT-X-ENDLIST\n$/m.exec(body)
  const list = end === null ? body : body.slice(0, end.index)
  const segments = [...list.matchAll(segmentPattern)].map(segmentOf)
  const isAll = [...list.matchAll(segmentPattern)].map(([whole]) => whole).join('') === list
  if (!isAll) return undefined
  return {
    ...{ owner, segments, end: end?.[1] as RecordingEnd | undefined, position: positionOf(head) },
    ...(head.split('\n').includes(silentMark) ? { isSilent: true } : {}),
  }
}

const positionOf = (head: string): RecordingState['position'] => {
  const said = /^#source (live|\d+\.\d+)$/m.exec(head)?.[1]
  return said === undefined || said === 'live' ? said : Number(said)
}

const segmentPattern =
  /(?:#EXT-X-DISCONTINUITY\n#gap (?<gap>[\d.]+)\n)?(?:#EXT-X-PROGRAM-DATE-TIME:(?<at>\S+)\n)?#file (?<bytes>\d+) (?<sha256>[0-9a-f]{64})\n#EXTINF:(?<duration>[\d.]+),\n(?<name>segments\/\S+)\n/g

const segmentOf = ({ groups = {} }: RegExpExecArray): RecordedSegment => ({
  name: groups.name ?? '',
  durationS: Number(groups.duration),
  bytes: Number(groups.bytes),
  sha256: groups.sha256 ?? '',
  ...(groups.at === undefined ? {} : { start: { at: groups.at, gapS: Number(groups.gap ?? 0) } }),
})

export type Totals = { recordedS: number; gapS: number; bytes: number }

export const totalsOf = (segments: readonly RecordedSegment[]): Totals => ({
  recordedS: sum(segments.map(({ durationS }) => durationS)),
  gapS: sum(segments.map(({ start }) => start?.gapS ?? 0)),
  bytes: sum(segments.map(({ bytes }) => bytes)),
})

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)

/** When what was recorded last ended, by the clock; undefined: nothing was. */
export const recordedUntilMs = (segments: readonly RecordedSegment[]): number | undefined => {
  const last = segments.findLastIndex(({ start }) => start !== undefined)
  const at = segments[last]?.start?.at
  if (at === undefined) return undefined
  return Date.parse(at) + 1000 * sum(segments.slice(last).map(({ durationS }) => durationS))
}

export const recordingOf = (
  { segments, end }: RecordingState,
  source: string,
  updatedAt: string,
): Recording => {
  const { recordedS, bytes } = totalsOf(segments)
  return {
    schemaVersion: 1,
    source,
    startedAt: segments[0]?.start?.at ?? null,
    updatedAt,
    end: end ?? null,
    durationS: Math.round(recordedS * 1000) / 1000,
    bytes,
    segments: segments.length,
    gaps: segments.flatMap(({ name, start }, index) =>
      start === undefined || index === 0
        ? []
        : [{ before: name, startedAt: beforeGap(start), lengthS: start.gapS }],
    ),
  }
}

const beforeGap = ({ at, gapS }: Start): string => new Date(Date.parse(at) - gapS * 1000).toISOString()
