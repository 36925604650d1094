import { lineEnd } from './inner-url.ts'

/** The init section (EXT-X-MAP) that a run began with, and the number of the first segment that it is for. */
export type Init = { map: string; sequence: number }

export type OneInit = {
  /** The playlist, with the segments of one init section only. */
  text: string
  init: Init | undefined
  /** Whether segments with another one came after them. */
  isOther: boolean
}

type Segment = { map: string; sequence: number; from: number; to: number }

/**
 * ffmpeg reads the first init section of a live stream of fragmented MP4 and keeps it; what comes after a change of it (ads, another
 * encoder) would be garbage. So it gets the segments of one init section, and an end after them. A list that is whole is left as it
 * is, since its end is known. Pure.
 * @param known what the run began with; undefined: it begins with the last there is
 * @param wasLive whether it had no end before: then one that has it by now is treated as it was then
 */
export const oneInit = (text: string, known: Init | undefined, wasLive = false): OneInit => {
  const lines = text.split(lineEnd)
  const first = Number(/^#EXT-X-MEDIA-SEQUENCE:\s*(\d+)/m.exec(text)?.[1] ?? 0)
  const segments = segmentsOf(lines, first)
  const last = segments.at(-1)
  const isWhole = /^#EXT-X-ENDLIST/m.test(text)
  if (last === undefined || (known === undefined && isWhole && !wasLive))
    return { text, init: known, isOther: false }
  // A number before that is of a source that counts anew.
  const init = known === undefined || last.sequence < known.sequence ? lastInit(segments, last) : known
  const ours = segments.filter(({ sequence }) => sequence >= init.sequence)
  const other = ours.find(({ map }) => map !== init.map)
  const isOther = other !== undefined || (known !== undefined && known.map !== init.map)
  const before = segments.filter(({ sequence }) => sequence < init.sequence)
  if (before.length === 0 && !isOther) return { text, init, isOther }
  const begin = before.at(-1)?.to ?? -1
  const kept = lines
    .slice(0, other?.from ?? lines.length)
    .filter((line, at) => at > begin || !isOfSegment(line))
  const numbered = kept.map((line) =>
    line.startsWith('#EXT-X-MEDIA-SEQUENCE:') ? `#EXT-X-MEDIA-SEQUENCE:${first + before.length}` : line,
  )
  return { text: isOther ? ended(numbered.join('\n')) : numbered.join('\n'), init, isOther }
}

/** With an end, if it had none. Pure. */
export const ended = (text: string): string =>
  /^#EXT-X-ENDLIST/m.test(text) ? text : `${text.trimEnd()}\n#EXT-X-ENDLIST\n`

const segmentsOf = (lines: readonly string[], first: number): Segment[] => {
  const segments: Segment[] = []
  let [map, from] = ['', 0]
  for (const [at, line] of lines.entries()) {
    if (line.startsWith('#EXT-X-MAP:')) map = nameOf(line)
    if (line.trim() === '' || line.startsWith('#')) continue
    segments.push({ map, sequence: first + segments.length, from, to: at })
    from = at + 1
  }
  return segments
}

/** Without its query: some sources hand out the same section with another token each time. */
const nameOf = (line: string): string => {
  const [, quoted, bare = ''] = /URI=(?:"([^"]*)|([^",]*))/.exec(line) ?? []
  return `${(quoted ?? bare).split('?')[0]} ${/BYTERANGE="?([^",]*)/.exec(line)?.[1] ?? ''}`
}

const lastInit = (segments: readonly Segment[], { map, sequence }: Segment): Init => {
  const before = segments.findLast((segment) => segment.map !== map)
  return { map, sequence: before === undefined ? (segments[0]?.sequence ?? sequence) : before.sequence + 1 }
}

/** Keys, init sections and what is about the whole list stay, since they count for what comes after. */
const isOfSegment = (line: string): boolean =>
  !line.startsWith('#') || /^#(EXTINF|EXT-X-(BYTERANGE|DISCONTINUITY|PROGRAM-DATE-TIME)\b(?!-))/.test(line)
