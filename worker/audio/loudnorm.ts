import { z } from 'zod'
import type { AudioParams } from '../../schemas/kinds/audio.ts'
import { silenceLufs } from './ebur128.ts'
import { layoutOf, type Shape } from './formats.ts'

export type LoudnessTarget = NonNullable<AudioParams['loudness']>

/** What the first pass found, for the second one. */
export type FirstPass = {
  integratedLufs: number
  truePeakDbtp: number
  rangeLu: number
  thresholdLufs: number
  /** What the dynamic way would be wrong by, if nobody told it. */
  offsetLu: number
}

const targetOf = ({ targetLufs, truePeakDbtp, rangeLu }: LoudnessTarget): string =>
  `loudnorm=I=${targetLufs}:TP=${truePeakDbtp}:LRA=${rangeLu}`

/** First pass: lets the audio pass, and says at the end what the second one has to know. Pure. */
export const firstPassFilter = (target: LoudnessTarget): string => `${targetOf(target)}:print_format=json`

/**
 * Second pass. Inside, the dynamic way works at 192 kHz and comes out so: the rate has to be set after it, and with it, for
 * ffmpeg 5.1, the layout of the channels. Pure.
 */
export const secondPassFilter = (
  target: LoudnessTarget,
  found: FirstPass,
  { channels, sampleRateHz }: Shape,
): string =>
  [
    `${targetOf(target)}:measured_I=${within(found.integratedLufs, -99, 0)}`,
    `measured_TP=${within(found.truePeakDbtp, -99, 99)}`,
    // 0, as of a steady sound, is to the filter as if nobody had measured, and then it never goes the linear way.
    `measured_LRA=${within(found.rangeLu, 0.01, 99)}`,
    `measured_thresh=${within(found.thresholdLufs, -99, 0)}`,
    `offset=${within(found.offsetLu, -99, 99)}`,
    `linear=true:print_format=json,aresample=${sampleRateHz},aformat=channel_layouts=${layoutOf(channels)}`,
  ].join(':')

/** Options have bounds, and clipped noise is louder than 0 LUFS. */
const within = (value: number, min: number, max: number): number => Math.min(max, Math.max(min, value))

/** What the first pass said; undefined: silence, or nothing that can be read. Pure. */
export const parseFirstPass = (stderr: string): FirstPass | undefined => {
  const said = firstPassSchema.safeParse(lastJson(stderr))
  return said.success && said.data.integratedLufs > silenceLufs ? said.data : undefined
}

/** Which way the second pass went; undefined: it did not say. Pure. */
export const parseSecondPass = (stderr: string): 'linear' | 'dynamic' | undefined =>
  secondPassSchema.safeParse(lastJson(stderr)).data?.normalization_type

/** Numbers come as texts, silence as -inf, which is none. */
const decibels = z
  .string()
  .regex(/^[+-]?\d+(\.\d+)?$/)
  .transform(Number)

const firstPassSchema = z
  .object({
    input_i: decibels,
    input_tp: decibels,
    input_lra: decibels,
    input_thresh: decibels,
    target_offset: decibels,
  })
  .transform((said) => ({
    integratedLufs: said.input_i,
    truePeakDbtp: said.input_tp,
    rangeLu: said.input_lra,
    thresholdLufs: said.input_thresh,
    offsetLu: said.target_offset,
  }))

const secondPassSchema = z.object({ normalization_type: z.enum(['linear', 'dynamic']) })

/** The filter prints its answer between its name and whatever others say at their ends. */
const lastJson = (stderr: string): unknown => {
  const start = stderr.lastIndexOf('[Parsed_loudnorm_')
  const text = start < 0 ? undefined : /\{[^{}]*\}/.exec(stderr.slice(start))?.[0]
  try {
    return text === undefined ? undefined : JSON.parse(text)
  } catch {
    return undefined
  }
}
