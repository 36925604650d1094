import type { AudioTags } from '../../schemas/audio-metadata.ts'
import type { AudioFormat, AudioParams } from '../../schemas/kinds/audio.ts'
import { nothingElse, runArguments } from '../media/arguments.ts'
import { farLook, inputGuard, inputLimits } from '../media/limits.ts'
import type { MediaInput } from '../media/probe.ts'
import { ebur128Filter } from './ebur128.ts'
import { formats, layoutOf, type Shape } from './formats.ts'
import { firstPassFilter, secondPassFilter } from './loudnorm.ts'
import { peaksRateHz } from './peaks.ts'
import { type AudioPlan, audioCpuLimitS, clipS, type PreviewPlan, type Track } from './plan.ts'
import { silenceFilter, trimFilters } from './silence.ts'

/** Every argument list of this kind is made here. All of them are pure, and all paths absolute. */

/** Whatever ffmpeg copies by itself from input to output stays behind; and the same audio gives the same bytes. */
const bare = [...nothingElse, '-fflags', '+bitexact']

/** A file that we made, which is still not opened as anything else than a file. */
const ownFile = (path: string): string[] => [...inputGuard(inputLimits.pixels), '-i', `file:${path}`]

const inputArguments = (input: MediaInput, { isFar }: Track): string[] => [
  ...input.guard,
  ...(isFar ? farLook : []),
  ...['-i', input.url],
]

/**
 * Audio as everything after it wants it. Sound that begins late, or after a gap, comes after silence, as whoever watches the
 * video hears it. The mix of many channels may not be louder than full scale.
 */
const prepare = ({ index, lateS }: Track, { channels, sampleRateHz }: Shape): string =>
  `[0:${index}]${[
    ...(lateS === undefined ? [] : [`asetpts=PTS-STARTPTS+${lateS.toFixed(6)}/TB`]),
    'aresample=async=1:first_pts=0:rematrix_maxval=1.0',
    `aformat=sample_fmts=fltp:channel_layouts=${layoutOf(channels)}:sample_rates=${sampleRateHz}`,
  ].join(',')}`

/** The pass that only listens: how long, how loud, and where there is silence. */
export const analyseArguments = (
  { loudness, trimSilence }: Pick<AudioParams, 'loudness' | 'trimSilence'>,
  { input, track, shape, capS }: { input: MediaInput; track: Track; shape: Shape; capS: number },
): string[] => [
  ...runArguments(audioCpuLimitS(capS), 'info'),
  ...inputArguments(input, track),
  '-filter_complex',
  `${[
    prepare(track, shape),
    ...(trimSilence === undefined ? [] : [silenceFilter(trimSilence, shape.sampleRateHz)]),
    ebur128Filter,
    ...(loudness === undefined ? [] : [firstPassFilter(loudness)]),
  ].join(',')}[heard]`,
  ...['-map', '[heard]', '-t', String(capS), '-f', 'null', '-'],
]

/** Where an output lies until it is uploaded: a key may be longer than a file name. */
export const localPath = (folder: string, format: AudioFormat): string =>
  `${folder}/result.${formats[format].suffix}`

export type MakePaths = { folder: string; peaks: string; clip: string }

/** One decode for every output: the files, the audio that peaks are taken of, and the piece for the preview. */
export const makeArguments = (plan: AudioPlan, { input, paths }: { input: MediaInput; paths: MakePaths }) => {
  const clip = clipS(plan)
  const branches = [
    ...plan.files.map((_, index) => `f${index}`),
    'p',
    ...(clip === undefined ? [] : ['c']),
    ...(plan.measures ? ['m'] : []),
  ]
  const cap = ['-t', String(plan.capS)]
  return [
    ...runArguments(plan.cpuLimitS, 'info'),
    ...inputArguments(input, plan.track),
    ...['-filter_complex', graphOf(plan, branches)],
    ...plan.files.flatMap(({ format, shape }, index) => [
      ...['-map', `[f${index}]`, ...cap, '-ar', String(shape.sampleRateHz)],
      ...formats[format].encoder(plan.params, shape),
      ...bare,
      ...tagOptions(plan.tags),
      ...formats[format].muxer,
      `file:${localPath(paths.folder, format)}`,
    ]),
    ...['-map', '[p]', ...cap, '-ar', String(peaksRateHz), '-c:a', 'pcm_s16le'],
    ...['-f', 's16le', `file:${paths.peaks}`],
    ...(clip === undefined
      ? []
      : [
          ...['-map', '[c]', '-t', String(Math.min(clip, plan.capS)), '-c:a', 'pcm_s16le'],
          // Not FLAC: in a short one ffmpeg cannot seek, and then writes nothing, with exit code 0.
          ...formats.wav.muxer,
          `file:${paths.clip}`,
        ]),
    ...(plan.measures ? ['-map', '[m]', ...cap, '-f', 'null', '-'] : []),
  ]
}

const graphOf = (plan: AudioPlan, branches: readonly string[]): string => {
  const { params, track, shape, trim, firstPass, measures } = plan
  const chain = [
    prepare(track, shape),
    ...(trim === undefined ? [] : trimFilters(trim, shape.sampleRateHz)),
    ...(params.loudness === undefined || firstPass === undefined
      ? []
      : [secondPassFilter(params.loudness, firstPass, shape)]),
    `asplit=${branches.length}`,
  ].join(',')
  const names = branches.map((branch) => `[${branch === 'm' ? 'unmeasured' : branch}]`).join('')
  return `${chain}${names}${measures ? `;[unmeasured]${ebur128Filter}[m]` : ''}`
}

const tagOptions = (tags: AudioTags): string[] =>
  Object.entries(tags).flatMap(([name, value]) => ['-metadata', `${name}=${value}`])

/** Decodes a file from beginning to end and tells how loud it is. */
export const measureArguments = (path: string, seconds: number): string[] => [
  ...runArguments(audioCpuLimitS(seconds), 'info'),
  ...ownFile(path),
  ...['-map', '0:a:0', '-af', ebur128Filter, '-f', 'null', '-'],
]

export const previewArguments = (
  { startS, durationS, fadeInS, fadeOutS }: PreviewPlan,
  params: Pick<NonNullable<AudioParams['preview']>, 'format' | 'bitrateKbps'>,
  { clip, shape, tags, output }: { clip: string; shape: Shape; tags: AudioTags; output: string },
): string[] => {
  const { format, bitrateKbps } = params
  const { encoder, muxer, sampleRateHz } = formats[format]
  const rate = sampleRateHz(shape.sampleRateHz)
  const fades = [
    ...(fadeInS > 0 ? [`afade=t=in:st=0:d=${fadeInS}`] : []),
    ...(fadeOutS > 0 ? [`afade=t=out:st=${seconds(durationS - fadeOutS)}:d=${fadeOutS}`] : []),
  ]
  return [
    ...runArguments(audioCpuLimitS(durationS), 'info'),
    ...['-ss', String(startS)],
    ...ownFile(clip),
    ...['-map', '0:a:0', '-t', String(durationS)],
    ...(fades.length === 0 ? [] : ['-af', fades.join(',')]),
    ...['-ar', String(rate)],
    ...encoder(
      { bitrateKbps: { mp3: bitrateKbps, aac: bitrateKbps, opus: bitrateKbps }, bitsPerSample: 16 },
      { ...shape, sampleRateHz: rate },
    ),
    ...bare,
    ...tagOptions(tags),
    ...muxer,
    `file:${output}`,
  ]
}

const seconds = (value: number): number => Math.max(0, Math.round(value * 1000) / 1000)

/** Pixels into a PNG. */
export const pictureArguments = (
  pixels: string,
  { width, height }: { width: number; height: number },
  output: string,
): string[] => [
  ...['-y', '-nostdin', '-hide_banner', '-v', 'warning'],
  ...['-protocol_whitelist', 'file', '-f', 'rawvideo', '-pixel_format', 'rgba'],
  ...['-video_size', `${width}x${height}`, '-i', `file:${pixels}`],
  ...['-frames:v', '1', '-update', '1', ...bare, '-c:v', 'png', '-f', 'image2', `file:${output}`],
]
