import type { TranscodeParams } from '../../schemas/kinds/transcode.ts'
import { quotient, type Ratio, type VideoStream } from './probe.ts'

export type Rung = { name: string; width: number; height: number; maxBitrateKbps: number }

/**
 * The renditions of a picture, largest first: those whose height is at most its short side, so nothing is ever scaled up.
 * Where none fits there is one at the size of the source. Pure.
 * @param seen the picture upright and with square pixels
 */
export const ladder = (
  seen: { width: number; height: number },
  renditions: TranscodeParams['renditions'],
): Rung[] => {
  const shortSide = Math.min(seen.width, seen.height)
  const descending = renditions.toSorted((a, b) => b.height - a.height)
  const fitting = descending.filter((rendition) => rendition.height <= shortSide)
  const smallest = descending.at(-1)
  const chosen =
    fitting.length > 0 || smallest === undefined ? fitting : [{ ...smallest, height: even(shortSide) }]
  return chosen.map(({ height: side, maxBitrateKbps }) => ({
    name: `${side}p`,
    ...(seen.width >= seen.height
      ? { width: even((seen.width * side) / shortSide), height: side }
      : { width: side, height: even((seen.height * side) / shortSide) }),
    maxBitrateKbps,
  }))
}

/** 4:2:0 pictures have even sides. Rounded down at the half, so that an odd source is never scaled up. */
const even = (pixels: number): number => Math.max(2, 2 * Math.ceil(pixels / 2 - 0.5))

const framesPerSecondMax = 60
/** Rates that players and displays know. */
const usualRates: Ratio[] = [
  { num: 24_000, den: 1001 },
  { num: 24, den: 1 },
  { num: 25, den: 1 },
  { num: 30_000, den: 1001 },
  { num: 30, den: 1 },
  { num: 50, den: 1 },
  { num: 60_000, den: 1001 },
  { num: 60, den: 1 },
]

/**
 * The constant rate that renditions get, 1 to 60 frames a second: that of the source where it has one, halved until it
 * fits; for a source that varies, the lowest rate that holds its time stamps, or where that is absurd (1000 of a screen
 * recorder) the usual rate next above its average. Interlaced pictures become one frame per field. Pure.
 */
export const outputRate = (
  video: Pick<VideoStream, 'averageRate' | 'nominalRate' | 'variableFrameRate' | 'interlaced'>,
): Ratio => {
  const rate = video.variableFrameRate ? steadyRate(video) : video.nominalRate
  const fields = video.interlaced ? { num: rate.num * 2, den: rate.den } : rate
  return atLeastOne(halvedBelow(fields, framesPerSecondMax))
}

const steadyRate = ({ averageRate, nominalRate }: Pick<VideoStream, 'averageRate' | 'nominalRate'>): Ratio =>
  quotient(nominalRate) <= framesPerSecondMax
    ? nominalRate
    : (usualRates.find((rate) => quotient(rate) >= quotient(averageRate) * 0.9995) ?? { num: 60, den: 1 })

const halvedBelow = (rate: Ratio, max: number): Ratio =>
  quotient(rate) <= max * 1.001 ? rate : halvedBelow({ num: rate.num, den: rate.den * 2 }, max)

const atLeastOne = (rate: Ratio): Ratio => (quotient(rate) < 1 ? { num: 1, den: 1 } : rate)

const secondsBetweenKeyFrames = 2

/** Frames from one key frame to the next, the same in every rendition, so that a player can change between them. */
export const keyFrameInterval = (rate: Ratio): number =>
  Math.max(1, Math.round(quotient(rate) * secondsBetweenKeyFrames))
