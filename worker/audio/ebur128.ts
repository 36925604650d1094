/** How loud something is, after EBU R128. */
export type Loudness = {
  /** The whole of it in LUFS; null: silence, or too short to say (it takes 0.4 s). */
  integratedLufs: number | null
  /** How far quiet and loud parts lie apart, in LU. */
  rangeLu: number
  /** The highest true peak in dBTP; null: nothing but zeros. */
  truePeakDbtp: number | null
}

/** The filter that measures. It lets the audio pass; its summary is printed at log level info, when all has passed. */
export const ebur128Filter = 'ebur128=peak=true:framelog=verbose'

/** The gate of the recommendation: quieter than this counts as silence (EBU R128, ITU-R BS.1770). */
export const silenceLufs = -70

/** A range is one of stretches of 3 s; until there are several, the filter tells the distance to its own threshold. */
const shortestWithRangeS = 3.5

/**
 * What `ebur128` says at its end, one for each such filter of the command, in the order in which they ended. Pure.
 * @param stderr of ffmpeg at `-v info`, or its last kilobytes
 * @param durationS of what was measured
 */
export const parseEbur128 = (stderr: string, durationS: number): Loudness[] =>
  stderr
    .split(/\[Parsed_ebur128_\d+ @ [^\]]*\] Summary:/)
    .slice(1)
    .flatMap((block) => {
      const integrated = figureOf(block, 'I', 'LUFS')
      const rangeLu = figureOf(block, 'LRA', 'LU')
      const peak = figureOf(block, 'Peak', 'dBFS')
      if (integrated === undefined || rangeLu === undefined || peak === undefined) return []
      return [
        {
          integratedLufs: integrated > silenceLufs ? integrated : null,
          rangeLu: Number.isFinite(rangeLu) && durationS >= shortestWithRangeS ? rangeLu : 0,
          truePeakDbtp: Number.isFinite(peak) ? peak : null,
        },
      ]
    })

/** The first value of a name in a block; -Infinity where ffmpeg says -inf or nan. */
const figureOf = (block: string, name: string, unit: string): number | undefined => {
  const text = new RegExp(`^\\s+${name}:\\s+(\\S+) ${unit}\\s*$`, 'm').exec(block)?.[1]
  if (text === undefined) return undefined
  const value = Number(text)
  return Number.isFinite(value) ? value : Number.NEGATIVE_INFINITY
}
