/** Previews for the seek bar of a player: small pictures, many to a sheet, and a WebVTT file that says which one is when. */

export const columns = 5
export const rows = 5
const tilesPerSheet = columns * rows
const longSide = 160
/** Twenty sheets: more would be loaded than looked at. */
export const maxTiles = 500

/** Size of one small picture: that of the rendition made small, with even sides. Pure. */
export const tileSize = ({
  width,
  height,
}: {
  width: number
  height: number
}): { width: number; height: number } => {
  const scale = longSide / Math.max(width, height)
  const even = (side: number) => Math.max(2, 2 * Math.round((side * scale) / 2))
  return { width: even(width), height: even(height) }
}

/**
 * Every how manieth key frame becomes a picture, so that they are at least so far apart and not too many. Pure.
 * @param spacingS seconds from one key frame to the next
 */
export const everyKeyFrames = (
  { durationS, spacingS }: { durationS: number; spacingS: number },
  { apartS, most }: { apartS: number; most: number },
): number => {
  const keyFrames = Math.ceil(durationS / spacingS)
  // 1.999 s are 2 s for everyone who asks for pictures every 2 s.
  return Math.max(1, Math.ceil(apartS / spacingS - 0.01), Math.ceil(keyFrames / most))
}

export const sheetName = (sheet: number): string => `storyboard_${String(sheet + 1).padStart(3, '0')}.jpg`

export const sheetCount = (tiles: number): number => Math.ceil(tiles / tilesPerSheet)

/**
 * The WebVTT file: for each picture the time from which it stands, up to the next one. Pure.
 * @param timesMs of the pictures, in ascending order; the first one stands from the start
 */
export const storyboardVtt = (
  timesMs: readonly number[],
  size: { width: number; height: number },
  durationS: number,
): string => {
  const endMs = Math.max(Math.round(durationS * 1000), (timesMs.at(-1) ?? 0) + 1)
  const cues = timesMs.map((timeMs, index) => {
    const from = index === 0 ? 0 : timeMs
    const to = timesMs[index + 1] ?? endMs
    const place = index % tilesPerSheet
    const x = (place % columns) * size.width
    const y = Math.floor(place / columns) * size.height
    const sheet = sheetName(Math.floor(index / tilesPerSheet))
    return `${clock(from)} --> ${clock(to)}\n${sheet}#xywh=${x},${y},${size.width},${size.height}\n`
  })
  return ['WEBVTT\n', ...cues].join('\n')
}

const clock = (ms: number): string => {
  const digits = (value: number, length: number) => String(Math.floor(value)).padStart(length, '0')
  return `${digits(ms / 3_600_000, 2)}:${digits((ms / 60_000) % 60, 2)}:${digits((ms / 1000) % 60, 2)}.${digits(ms % 1000, 3)}`
}
