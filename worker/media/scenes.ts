import type { Scene } from '../../schemas/scenes.ts'
import { runArguments } from './arguments.ts'
import { jpegFilters } from './command.ts'

/** A moment at which much of the picture changes at once. */
export type Change = { atS: number; score: number }

/** Changes below this are not even told of; a threshold can only be higher. */
const lowestThreshold = 5

/** How far apart the pictures are that are made while looking, and how wide they are. */
export const pictureIntervalS = (durationS: number): number => Math.max(1, Math.ceil(durationS / 3600))
const pictureWidth = 640

/**
 * Arguments of the ffmpeg run that decodes the video once, in small: it prints every change of the picture, and writes a
 * picture every so often, named by its milliseconds, of which some are chosen later. Pure.
 * @param folder absolute path of an existing folder
 */
export const sceneArguments = ({
  input,
  folder,
  durationS,
}: {
  input: { url: string; guard: readonly string[] }
  folder: string
  durationS: number
}): string[] => [
  ...runArguments(sceneCpuLimitS(durationS)),
  ...input.guard,
  ...['-i', input.url],
  ...['-an', '-sn', '-dn', '-filter_complex', sceneFilter(pictureIntervalS(durationS))],
  ...['-map', '[changes]', '-f', 'null', '-'],
  ...['-map', '[pictures]', '-fps_mode', 'passthrough', '-enc_time_base', '1:1000'],
  ...['-q:v', '4', '-f', 'image2', '-frame_pts', '1', `file:${folder}/%d.jpg`],
]

/**
 * Changes are looked for in all colours: of YUV, scdet compares the brightness only. That branch lets every frame pass, because ffmpeg tells no progress before each output has had its
 * first one. Only strong changes are printed, each at once, so that their lines do not mix with those of progress.
 */
const sceneFilter = (intervalS: number): string =>
  [
    // Square pixels; even sizes; nothing is scaled up.
    `[0:V:0]scale=w='trunc(min(${pictureWidth}\\,iw*sar)/2)*2':h=-2,setsar=1,split=2[small][shown]`,
    `[small]scale=320:-2,format=rgb24,scdet=t=100,metadata=mode=print:key=lavfi.scd.score:value=${lowestThreshold}:function=greater:file=-:direct=1[changes]`,
    `[shown]select='isnan(prev_selected_t)+gte(t-prev_selected_t\\,${intervalS})',${jpegFilters}[pictures]`,
  ].join(';')

/** CPU seconds; ordinary inputs take as long as they last, or less. */
export const sceneCpuLimitS = (durationS: number): number => Math.ceil(600 + durationS * 10)

/**
 * Reads what the filter prints: a line with the time, then one with the score. Lines of progress may stand between. Calls
 * `tell` for each change.
 */
export const changeReader = (tell: (change: Change) => void): ((line: string) => void) => {
  let atS: number | undefined
  return (line) => {
    const time = /^frame:\s*\d+\s+pts:\s*\S+\s+pts_time:(\d+(?:\.\d+)?)/.exec(line)
    if (time !== null) atS = Number(time[1])
    const score = /^lavfi\.scd\.score=(\d+(?:\.\d+)?)/.exec(line)
    if (score === null || atS === undefined) return
    tell({ atS, score: Number(score[1]) })
    atS = undefined
  }
}

export type SceneOptions = { durationS: number; threshold: number; shortestS: number; maxScenes: number }
export type Span = Pick<Scene, 'startS' | 'endS' | 'score'>

/**
 * Scenes, in order and without gaps. Stronger changes come first: a weaker one is left out where it would make a scene that
 * is too short, and when there are enough. Pure.
 */
export const scenesOf = (
  changes: readonly Change[],
  { durationS, threshold, shortestS, maxScenes }: SceneOptions,
): Span[] => {
  const kept: Change[] = []
  const strongest = changes
    .filter(({ score }) => score >= threshold)
    .sort((a, b) => b.score - a.score || a.atS - b.atS)
  const taken = new SortedTimes([0, durationS])
  for (const change of strongest) {
    if (kept.length + 1 >= maxScenes) break
    if (taken.distanceTo(change.atS) < shortestS) continue
    taken.add(change.atS)
    kept.push(change)
  }
  kept.sort((a, b) => a.atS - b.atS)
  const starts: { atS: number; score: number | null }[] = [{ atS: 0, score: null }, ...kept]
  return starts.map(({ atS, score }, index) => ({
    startS: milliseconds(atS),
    endS: milliseconds(starts[index + 1]?.atS ?? durationS),
    score: score === null ? null : Math.round(score * 10) / 10,
  }))
}

/** A flickering video has as many changes as frames, so the nearest one is sought by halves. */
class SortedTimes {
  readonly #times: number[]

  constructor(times: number[]) {
    this.#times = times
  }

  add(timeS: number): void {
    this.#times.splice(this.#indexOf(timeS), 0, timeS)
  }

  distanceTo(timeS: number): number {
    const index = this.#indexOf(timeS)
    const [before, after] = [this.#times[index - 1], this.#times[index]]
    return Math.min(
      before === undefined ? Number.POSITIVE_INFINITY : timeS - before,
      after === undefined ? Number.POSITIVE_INFINITY : after - timeS,
    )
  }

  /** Position of the first that is not earlier. */
  #indexOf(timeS: number): number {
    let [low, high] = [0, this.#times.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#times[middle] ?? 0) < timeS) low = middle + 1
      else high = middle
    }
    return low
  }
}

const milliseconds = (seconds: number): number => Math.round(seconds * 1000) / 1000

/**
 * The picture that shows a scene best, out of those that were made: the one nearest to a third of it, where it has settled.
 * A scene that none was made of has none. Pure.
 * @param timesMs of the pictures, in ascending order
 */
export const pictureFor = ({ startS, endS }: Span, timesMs: readonly number[]): number | undefined => {
  const wantedMs = (startS + Math.min(3, (endS - startS) / 3)) * 1000
  return timesMs
    .filter((timeMs) => timeMs >= startS * 1000 && timeMs < endS * 1000)
    .reduce<number | undefined>(
      (best, timeMs) =>
        best === undefined || Math.abs(timeMs - wantedMs) < Math.abs(best - wantedMs) ? timeMs : best,
      undefined,
    )
}
