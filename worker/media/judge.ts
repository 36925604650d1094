import type { TranscodeWarning } from '../../schemas/metadata.ts'
import { WorkerError } from '../errors.ts'
import type { Plan } from './command.ts'
import type { Source } from './gate.ts'
import { emptyAudio } from './probe.ts'
import { type CheckedPlaylist, judgeDuration } from './verify.ts'

/** What is cut off ends with a whole frame. */
const cutOffWithinS = 1

type Lasting = Pick<CheckedPlaylist, 'durationS'>

/**
 * Whether the output is as long as the input promised. With `onDamage: keep` a difference is a warning, unless the output had
 * to be cut off: nobody knows how much is missing then. Pure.
 * @throws WorkerError INPUT_TRUNCATED or INPUT_CORRUPT
 */
export const judgeOutput = (
  { promised, params, longestS }: Pick<Plan, 'promised' | 'params' | 'longestS'>,
  { renditions, audio }: { renditions: readonly Lasting[]; audio: Lasting | null },
): TranscodeWarning[] => {
  const pictures = renditions.map(({ durationS }) => ({
    what: 'pictures',
    durationS,
    promisedS: promised.videoS,
  }))
  const sounds =
    audio === null ? [] : [{ what: 'sound', durationS: audio.durationS, promisedS: promised.audioS }]
  const parts = [...pictures, ...sounds]
  if (parts.some(({ durationS }) => durationS >= longestS - cutOffWithinS))
    throw new WorkerError(
      'INPUT_CORRUPT',
      `it goes on after ${longestS} s although it promises ${promised.wholeS.toFixed(1)} s; remux it first, which counts its time anew`,
    )
  // Some containers know only how long the whole is. Then a part may be shorter than that, but not all of them.
  const longest = parts.toSorted((a, b) => b.durationS - a.durationS).slice(0, 1)
  const compared = parts.some(({ promisedS }) => promisedS !== undefined)
    ? parts
    : longest.map((part) => ({ ...part, promisedS: promised.wholeS }))
  const odd = compared
    .flatMap(({ promisedS, ...part }) => (promisedS === undefined ? [] : [{ ...part, promisedS }]))
    .map((part) => ({ ...part, verdict: judgeDuration(part.durationS, part.promisedS) }))
    .find((part) => part.verdict !== 'fits')
  if (odd === undefined) return []
  const detail = `it promises ${odd.promisedS.toFixed(1)} s, and ${odd.durationS.toFixed(1)} s of ${odd.what} could be read`
  const code = odd.verdict === 'short' ? 'INPUT_TRUNCATED' : 'INPUT_CORRUPT'
  const failure = new WorkerError(code, detail)
  if (params.onDamage !== 'keep') throw failure
  return [{ code, message: failure.message }]
}

/** What was odd about an input and did not stop the job. Pure. */
export const oddities = (source: Source, plan: Plan, damage: number): TranscodeWarning[] => [
  ...(damage === 0
    ? []
    : [{ code: 'DAMAGED_FRAMES', message: 'Parts of the input are damaged and may show.', count: damage }]),
  ...(source.video.hdr !== 'none' && plan.toneMap === undefined
    ? [
        {
          code: 'HDR_NOT_TONE_MAPPED',
          message: 'The input is HDR and this ffmpeg has no zscale: the renditions look pale.',
        },
      ]
    : []),
  ...unmetMp4(plan),
  ...soundOddities(source),
]

/** Which of the sound tracks was used, and why not another. */
const soundOddities = ({ audio, streams }: Source): TranscodeWarning[] => {
  const warnings: TranscodeWarning[] = []
  const [first, ...others] = streams.filter(({ type }) => type === 'audio')
  if (streams.some(({ type }) => type === emptyAudio)) {
    const instead = audio === undefined ? 'the output has no sound' : 'the first that has some was used'
    const message = `The input names a sound track without any sound in it: ${instead}.`
    warnings.push({ code: 'AUDIO_EMPTY', message })
  }
  if (first !== undefined && audio === undefined) {
    const why = 'ffmpeg does not know its format, or finds nothing of it in the first two minutes'
    warnings.push({ code: 'AUDIO_UNREADABLE', message: `The audio cannot be read: ${why}.` })
  }
  if (audio !== undefined && others.length > 0) {
    const used = audio.index === first?.index ? 'the first' : 'the first readable one'
    const message = `Only ${used} of several audio streams was used.`
    warnings.push({ code: 'AUDIO_STREAMS_LEFT_OUT', message })
  }
  return warnings
}

/** A height above the source is no rendition, so there is no MP4 of it either. */
const unmetMp4 = ({ params, rungs }: Plan): TranscodeWarning[] => {
  if (typeof params.mp4 === 'string') return []
  const unmet = params.mp4.filter((height) => !rungs.some(({ name }) => name === `${height}p`))
  if (unmet.length === 0) return []
  const message = `The source is smaller than ${unmet.join(', ')}: there is no MP4 file of that height.`
  return [{ code: 'MP4_LEFT_OUT', message }]
}
