/**
 * Reads what ffmpeg prints for `-progress`: blocks of key=value. Answers with the share that is done, 0 to 0.99, after each
 * line that moves it; the share never falls, and 1 is not for ffmpeg to say. Pure but for what it has seen.
 * @param durationS of the input, above 0
 */
export const progressReader = (durationS: number): ((line: string) => number | undefined) => {
  let share = 0
  return (line) => {
    // out_time_ms is in microseconds as well. Values can be N/A, negative, or past the end.
    const match = /^out_time_us=\s*(\d+)\s*$/.exec(line)
    if (!match) return undefined
    const seen = Math.min(0.99, Number(match[1]) / 1e6 / durationS)
    if (seen <= share) return undefined
    share = seen
    return share
  }
}

/** Stages of a transcode and the part of the whole that each is given, in percent: about what each takes of the time. */
const stages = {
  download: { from: 0, to: 5 },
  transcode: { from: 5, to: 86 },
  verify: { from: 86, to: 88 },
  pictures: { from: 88, to: 90 },
  loudness: { from: 90, to: 92 },
  mp4: { from: 92, to: 93 },
  upload: { from: 93, to: 99 },
} as const
export type Stage = keyof typeof stages

/** Percent of the whole with one decimal; at most 99, since 100 means that the manifest may be written. Pure. */
export const overallPercent = (stage: Stage, share: number): number => {
  const { from, to } = stages[stage]
  return Math.round((from + (to - from) * Math.min(1, Math.max(0, share))) * 10) / 10
}

/** Seconds that the rest will take if it goes on like this; undefined as long as nobody can tell. Pure. */
export const remainingS = (share: number, elapsedMs: number): number | undefined =>
  share > 0 && elapsedMs >= 1000 ? Math.round(((1 - share) / share) * (elapsedMs / 1000)) : undefined

/**
 * Turns stages and shares into what the record is told. What the download took says nothing about the rest, so the seconds
 * that are left are reckoned from the end of it, over all other stages. Pure but for what it has seen.
 */
export const transcodeTeller = (
  tell: (status: { stage: Stage; percent: number; etaS?: number }) => void,
  nowMs: () => number,
): ((stage: Stage, share: number) => void) => {
  const { from } = stages.transcode
  const { to } = stages.upload
  let startMs: number | undefined
  return (stage, share) => {
    const percent = overallPercent(stage, share)
    if (stage !== 'download') startMs ??= nowMs()
    const etaS =
      startMs === undefined ? undefined : remainingS((percent - from) / (to - from), nowMs() - startMs)
    tell({ stage, percent, ...(etaS === undefined ? {} : { etaS }) })
  }
}
