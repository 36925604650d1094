import type { Peaks } from './peaks.ts'

export type PictureStyle = { width: number; height: number; color: string; background?: string | undefined }

/** What is quiet is drawn larger, so that a softly spoken talk is more than a line; but noise is not made a talk. */
const fill = 0.95
const mostGain = 16

/**
 * A waveform as pixels, four bytes each (red, green, blue, how opaque), row by row. The loudest peak nearly fills the
 * height; silence is a thin line. Pure.
 */
export const drawWaveform = (peaks: Peaks, { width, height, color, background }: PictureStyle): Buffer => {
  const front = rgb(color)
  const back = background === undefined ? undefined : rgb(background)
  const pixels = Buffer.alloc(width * height * 4)
  const drawn = columns(peaks, width)
  const loudest = drawn.reduce((most, { low, high }) => Math.max(most, -low, high), 0)
  const middle = height / 2
  const scale = middle * Math.min(mostGain, fill / Math.max(loudest, 1e-9))
  for (const [x, { low, high }] of drawn.entries()) {
    const [top, bottom] = atLeastOne(middle - high * scale, middle - low * scale)
    for (let y = 0; y < height; y += 1) {
      const covered = Math.max(0, Math.min(y + 1, bottom) - Math.max(y, top))
      pixels.set(blend(front, back, covered), (y * width + x) * 4)
    }
  }
  return pixels
}

/** Lowest and highest of each column, -1 to 1; where there are fewer points than columns, a point is several wide. */
const columns = ({ values }: Peaks, width: number): { low: number; high: number }[] => {
  const points = values.length / 2
  return Array.from({ length: width }, (_, x) => {
    const from = Math.floor((x * points) / width)
    const to = Math.max(from + 1, Math.ceil(((x + 1) * points) / width))
    let [low, high] = [1, -1]
    for (let point = from; point < Math.min(to, points); point += 1) {
      low = Math.min(low, (values[point * 2] ?? 0) / 32_768)
      high = Math.max(high, (values[point * 2 + 1] ?? 0) / 32_768)
    }
    return low <= high ? { low, high } : { low: 0, high: 0 }
  })
}

const atLeastOne = (top: number, bottom: number): [number, number] => {
  const missing = Math.max(0, 1 - (bottom - top)) / 2
  return [top - missing, bottom + missing]
}

type Rgb = [number, number, number]

const rgb = (color: string): Rgb => {
  const value = Number.parseInt(color.slice(1), 16)
  return [value >> 16, (value >> 8) & 255, value & 255]
}

const blend = (front: Rgb, back: Rgb | undefined, share: number): [...Rgb, number] => {
  if (back === undefined) return [...front, Math.round(share * 255)]
  const mix = (index: 0 | 1 | 2) => Math.round(front[index] * share + back[index] * (1 - share))
  return [mix(0), mix(1), mix(2), 255]
}
