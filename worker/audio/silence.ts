import type { AudioParams } from '../../schemas/kinds/audio.ts'

export type TrimSilence = NonNullable<AudioParams['trimSilence']>
export type Span = { startS: number; endS: number }

/** Frames of 10 ms: filters that judge or mark a frame as a whole are as exact as that. */
const smallFrames = (sampleRateHz: number): string =>
  `asetnsamples=n=${Math.max(1, Math.round(sampleRateHz / 100))}:p=0`

/**
 * Looks for silence and prints its beginnings and ends on standard output, each at once. Of the ends, and of the beginnings,
 * that fall into one frame only the last is told, and the end of a silence after the beginning of the next: frames have to be
 * shorter than any silence. Pure.
 * @param sampleRateHz of the audio at this point
 */
export const silenceFilter = ({ thresholdDb, shortestS }: TrimSilence, sampleRateHz: number): string =>
  [
    smallFrames(sampleRateHz),
    `silencedetect=n=${thresholdDb}dB:d=${shortestS}`,
    ...['start', 'end'].map((edge) => `ametadata=mode=print:key=lavfi.silence_${edge}:file=-:direct=1`),
  ].join(',')

/** Reads the lines that `silenceFilter` prints. Pure but for what it has seen. */
export const silenceReader = () => {
  const spans: Span[] = []
  let startS: number | undefined
  return {
    read: (line: string): void => {
      const match = /^lavfi\.silence_(start|end)=(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)\s*$/.exec(line)
      if (match === null) return
      const timeS = Math.max(0, Number(match[2]))
      if (match[1] === 'start') startS = timeS
      else if (startS !== undefined) {
        if (timeS > startS) spans.push({ startS, endS: timeS })
        startS = undefined
      }
    },
    /** @param durationS where a silence ends that has no end: it lasts as long as the audio */
    all: (durationS: number): Span[] =>
      startS === undefined || startS >= durationS ? spans : [...spans, { startS, endS: durationS }],
  }
}

export type Trim = {
  /** What is left, in order; `endS` undefined: to the end. */
  kept: { startS: number; endS?: number }[]
  startS: number
  endS: number
  innerS: number
  pauses: number
  /** Pauses beyond the number that a command can hold; they stay. */
  pausesLeft: number
}

/** Each is some 40 characters of a command, of which the kernel takes 128 KiB in one argument. */
const mostPauses = 2000
/** Silence that ends so close to the end of the audio ends with it. */
const edgeS = 0.05

/**
 * What is cut out and what is left. Where everything is silent nothing is cut: an empty file helps nobody. Pure.
 * @param durationS of the audio in which the silences were found
 */
export const planTrim = (
  silences: readonly Span[],
  durationS: number,
  { keepS, inner }: Pick<TrimSilence, 'keepS' | 'inner'>,
): Trim => {
  const whole: Trim = { kept: [{ startS: 0 }], startS: 0, endS: 0, innerS: 0, pauses: 0, pausesLeft: 0 }
  const isFirst = ({ startS }: Span) => startS <= edgeS
  const isLast = ({ endS }: Span) => endS >= durationS - edgeS
  if (silences.some((silence) => isFirst(silence) && isLast(silence))) return whole
  const startS = silences.filter(isFirst).reduce((most, { endS }) => Math.max(most, endS - keepS), 0)
  const last = silences.find(isLast)
  const endsAtS = last === undefined || last.startS + keepS >= durationS ? undefined : last.startS + keepS
  const pauses = silences
    .filter((silence) => !isFirst(silence) && !isLast(silence))
    .map((silence) => ({ startS: silence.startS + keepS, endS: silence.endS - keepS }))
    .filter((cut) => cut.endS > cut.startS)
  const cuts = inner ? longest(pauses, mostPauses) : []
  const kept = keptBetween(startS, endsAtS, cuts)
  return {
    kept,
    startS: rounded(startS),
    endS: endsAtS === undefined ? 0 : rounded(durationS - endsAtS),
    innerS: rounded(cuts.reduce((sum, cut) => sum + cut.endS - cut.startS, 0)),
    pauses: cuts.length,
    pausesLeft: inner ? pauses.length - cuts.length : 0,
  }
}

/** In the order of time. */
const longest = (spans: readonly Span[], count: number): Span[] =>
  spans
    .toSorted((a, b) => b.endS - b.startS - (a.endS - a.startS))
    .slice(0, count)
    .sort((a, b) => a.startS - b.startS)

const keptBetween = (startS: number, endS: number | undefined, cuts: readonly Span[]): Trim['kept'] => {
  const edges = [startS, ...cuts.flatMap((cut) => [cut.startS, cut.endS])].map(rounded)
  const kept: Trim['kept'] = []
  for (let index = 0; index < edges.length; index += 2) {
    const from = edges[index] ?? 0
    const to = edges[index + 1] ?? (endS === undefined ? undefined : rounded(endS))
    kept.push(to === undefined ? { startS: from } : { startS: from, endS: to })
  }
  return kept
}

/** How long the result is. Pure. */
export const trimmedS = (durationS: number, { startS, endS, innerS }: Trim): number =>
  Math.max(0, durationS - startS - endS - innerS)

/**
 * The filters that leave only what is kept; none where that is everything. Pure.
 * @param sampleRateHz of the audio at this point
 */
export const trimFilters = ({ kept }: Pick<Trim, 'kept'>, sampleRateHz: number): string[] => {
  const [only, ...others] = kept
  if (only === undefined) return []
  if (others.length > 0)
    return [smallFrames(sampleRateHz), `aselect='${withinOneOf(kept)}'`, 'asetpts=N/SR/TB']
  if (only.startS === 0 && only.endS === undefined) return []
  const end = only.endS === undefined ? '' : `:end=${only.endS}`
  return [`atrim=start=${only.startS}${end}`, 'asetpts=PTS-STARTPTS']
}

/** Asked for every frame, so it asks for halves of the list, not for each span. */
const withinOneOf = (spans: Trim['kept']): string => {
  const [first] = spans
  if (spans.length === 1 && first !== undefined)
    return first.endS === undefined ? `gte(t,${first.startS})` : `gte(t,${first.startS})*lt(t,${first.endS})`
  const middle = Math.floor(spans.length / 2)
  const right = spans.slice(middle)
  return `if(lt(t,${right[0]?.startS}),${withinOneOf(spans.slice(0, middle))},${withinOneOf(right)})`
}

const rounded = (value: number): number => Math.round(value * 1e6) / 1e6
