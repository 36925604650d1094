import { rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { AudioMetadata } from '../../schemas/audio-metadata.ts'
import type { AudioParams } from '../../schemas/kinds/audio.ts'
import type { FileRole } from '../../schemas/manifest.ts'
import type { Warning } from '../../schemas/object-address.ts'
import { runChild } from '../children.ts'
import { WorkerError } from '../errors.ts'
import type { MediaTools } from '../ffmpeg.ts'
import { requireDisk } from '../media/disk.ts'
import type { MediaInput } from '../media/probe.ts'
import { type RunEnd, runFfmpeg } from '../media/run.ts'
import { judgeDuration } from '../media/verify.ts'
import {
  analyseArguments,
  localPath,
  makeArguments,
  measureArguments,
  pictureArguments,
  previewArguments,
} from './command.ts'
import { parseEbur128 } from './ebur128.ts'
import { formats } from './formats.ts'
import { parseFirstPass, parseSecondPass } from './loudnorm.ts'
import { peaksBytesPerSecond, peaksRateHz, readPeaks, samplesPerPoint, waveformJson } from './peaks.ts'
import { drawWaveform } from './picture.ts'
import {
  type Analysis,
  type AudioPlan,
  type AudioSource,
  audioCpuLimitS,
  capFor,
  diskBytes,
  needsAnalysis,
  planAudio,
  planPreview,
  shapeFor,
} from './plan.ts'
import type { AudioStage } from './progress.ts'
import { planTrim, silenceReader } from './silence.ts'
import { lookAtAudio, requireMade } from './verify.ts'

export type ConvertOptions = {
  tools: MediaTools
  /** What outputs are named after. */
  base: string
  /** Absolute path of an existing, empty folder. */
  folder: string
  stallMs: number
  /** The longest that is accepted, for an input that does not say how long it is. */
  longestS: number
  signal: AbortSignal
  onProgress: (stage: AudioStage, share: number) => void
  freeBytes: (path: string) => Promise<number>
  nowMs: () => number
  /** Why the input could not be read, where that is not the fault of the input. */
  inputFailure: () => WorkerError | undefined
}

export type LocalFile = { path: string; name: string; role: FileRole }
export type Converted = { files: LocalFile[]; metadata: AudioMetadata }

export const metadataName = 'metadata.json'

/**
 * Everything that one input becomes. What it returns has been looked at, not only written.
 * @throws WorkerError INPUT_TRUNCATED, INPUT_UNREADABLE, DISK_FULL, OUTPUT_INVALID and those of `runFfmpeg`
 */
export const convertAudio = async (
  input: MediaInput,
  source: AudioSource,
  params: AudioParams,
  options: ConvertOptions,
): Promise<Converted> => {
  const { folder, tools, signal, onProgress } = options
  const analysis = needsAnalysis(source, params) ? await analyse(input, source, params, options) : undefined
  const heard = analysis && judgeLength(source, analysis.decodedS, params)
  const trim =
    analysis === undefined || params.trimSilence === undefined
      ? undefined
      : planTrim(analysis.silences, analysis.decodedS, params.trimSilence)
  const plan = planAudio(source, params, options.base, { analysis, trim })
  requireSound(plan)
  requireDisk(diskBytes(plan), await options.freeBytes(folder), 0)

  const paths = { folder, peaks: join(folder, 'peaks.pcm'), clip: join(folder, 'clip.wav') }
  const { stderr, damage } = await run(makeArguments(plan, { input, paths }), plan.resultS, options, {
    cpuLimitS: plan.cpuLimitS,
    onProgress: (share) => onProgress('convert', share),
  })
  const resultS = (await sizeOf(paths.peaks)) / peaksBytesPerSecond(plan.shape.channels)
  if (resultS === 0) throw await nothingHeard(options)
  const warnings: Warning[] = [
    ...source.warnings,
    ...(heard ?? judgeLength(source, resultS, params)),
    ...damageWarnings(damage - source.harmless),
    ...trimWarnings(plan, analysis),
  ]

  onProgress('check', 0)
  const outputs = await checkFiles(plan, resultS, options)
  const preview = await makePreview(plan, resultS, paths.clip, options)
  const waveform = await makeWaveform(plan, paths.peaks, options)
  await rm(paths.peaks)
  const loudness = analysis?.loudness ?? parseEbur128(stderr, resultS).at(-1)
  if (loudness === undefined) throw new WorkerError('OUTPUT_INVALID', 'ffmpeg did not say how loud it is')
  const normalization = normalizationOf(plan, stderr)
  const metadata: AudioMetadata = {
    schemaVersion: 1,
    container: source.container,
    bytes: source.bytes,
    durationS: rounded(analysis?.decodedS ?? resultS),
    audio: {
      codec: source.audio.codec,
      channels: source.audio.channels,
      sampleRateHz: source.audio.sampleRateHz,
      startS: rounded(source.audio.startS),
    },
    tags: source.tags,
    loudness,
    normalization,
    trimmed: trim === undefined ? null : trimmedOf(trim),
    resultS: rounded(resultS),
    outputs,
    waveform: waveform?.described ?? null,
    preview: preview?.described ?? null,
    warnings: [...warnings, ...loudnessWarnings(normalization, outputs)],
    ffmpeg: tools.ffmpeg.version,
  }
  const metadataPath = join(folder, metadataName)
  await writeFile(metadataPath, `${JSON.stringify(metadata, null, 2)}\n`)
  signal.throwIfAborted()
  return {
    files: [
      ...plan.files.map(({ format, name }) => ({
        path: localPath(folder, format),
        name,
        role: 'audio' as const,
      })),
      ...(preview?.files ?? []),
      ...(waveform?.files ?? []),
      { path: metadataPath, name: metadataName, role: 'metadata' },
    ],
    metadata,
  }
}

const run = async (
  args: readonly string[],
  durationS: number,
  { tools, stallMs, signal, nowMs, inputFailure }: ConvertOptions,
  {
    cpuLimitS,
    onProgress,
    onLine,
  }: { cpuLimitS: number; onProgress?: (share: number) => void; onLine?: (line: string) => void },
): Promise<RunEnd> => {
  const end = await runFfmpeg(args, {
    tools,
    durationS: Math.max(durationS, 0.001),
    cpuLimitS,
    stallMs,
    signal,
    nowMs,
    onProgress: onProgress ?? (() => undefined),
    ...(onLine === undefined ? {} : { onLine }),
  }).catch((error: unknown) => {
    if (error instanceof WorkerError && /Unknown encoder/.test(error.message))
      throw new WorkerError('FFMPEG_INCOMPLETE', `${tools.ffmpeg.path}: ${error.message}`, error)
    throw error
  })
  // An input that breaks off because S3 did looks like one that is short, and ffmpeg is content with it.
  const failure = inputFailure()
  if (failure !== undefined) throw failure
  return end
}

/** The first pass over an input: nothing is written. */
const analyse = async (
  input: MediaInput,
  source: AudioSource,
  params: AudioParams,
  options: ConvertOptions,
): Promise<Analysis> => {
  const capS = source.isGuess ? options.longestS + 1 : capFor(source.expectedS)
  const silences = silenceReader()
  let decodedS = 0
  const { stderr } = await run(
    analyseArguments(params, { input, track: source.track, shape: shapeFor(source, params), capS }),
    // Past the expected end nothing would tell the watchdog that it goes on.
    source.isGuess ? options.longestS : source.expectedS,
    options,
    {
      cpuLimitS: audioCpuLimitS(capS),
      onProgress: (share) => options.onProgress('analyse', share),
      onLine: (line) => {
        silences.read(line)
        decodedS = timeOf(line) ?? decodedS
      },
    },
  )
  const loudness = parseEbur128(stderr, decodedS).at(-1)
  if (decodedS === 0 || loudness === undefined) throw await nothingHeard(options)
  if (decodedS > options.longestS)
    throw new WorkerError(
      'INPUT_TOO_LARGE',
      `more than ${options.longestS} seconds of audio, at most ${options.longestS} are accepted`,
    )
  return { decodedS, loudness, firstPass: parseFirstPass(stderr), silences: silences.all(decodedS) }
}

/** How far ffmpeg has come, in seconds, if the line says it. */
const timeOf = (line: string): number | undefined => {
  const match = /^out_time_us=\s*(\d+)\s*$/.exec(line)
  return match === null ? undefined : Number(match[1]) / 1e6
}

/** A full disk looks the same. */
const nothingHeard = async ({ folder, freeBytes }: ConvertOptions): Promise<WorkerError> => {
  requireDisk(0, await freeBytes(folder), 0)
  return new WorkerError('INPUT_UNREADABLE', 'its audio ends before it begins')
}

/** Shorter than a frame of any encoder; of less, filters leave nothing. */
const leastMs = 10

const requireSound = ({ resultS }: AudioPlan): void => {
  const ms = resultS * 1000
  if (ms < leastMs)
    throw new WorkerError(
      'INPUT_UNREADABLE',
      `it leaves ${ms.toFixed(2)} ms of sound, at least ${leastMs} ms are needed`,
    )
}

/**
 * Whether the input was as long as it promised. With `onDamage: keep` a difference is a warning. Pure.
 * @throws WorkerError INPUT_TRUNCATED, INPUT_CORRUPT
 */
export const judgeLength = (
  { promisedS }: Pick<AudioSource, 'promisedS'>,
  decodedS: number,
  { onDamage }: Pick<AudioParams, 'onDamage'>,
): Warning[] => {
  if (promisedS === undefined) return []
  const verdict = judgeDuration(decodedS, promisedS)
  if (verdict === 'fits') return []
  const failure = new WorkerError(
    verdict === 'short' ? 'INPUT_TRUNCATED' : 'INPUT_CORRUPT',
    `it promises ${promisedS.toFixed(1)} s, and ${decodedS.toFixed(1)} s of audio could be read`,
  )
  if (onDamage === 'fail') throw failure
  return [{ code: failure.code, message: failure.message }]
}

const damageWarnings = (damage: number): Warning[] =>
  damage <= 0
    ? []
    : [
        {
          code: 'DAMAGED_FRAMES',
          message: `Parts of the input are damaged (${damage} messages); they may be heard.`,
        },
      ]

const trimWarnings = ({ trim, params }: AudioPlan, analysis: Analysis | undefined): Warning[] => [
  ...(trim !== undefined && trim.pausesLeft > 0
    ? [
        {
          code: 'PAUSES_LEFT',
          message: `The ${trim.pauses} longest pauses were shortened; ${trim.pausesLeft} more were left.`,
        },
      ]
    : []),
  ...(params.loudness !== undefined && analysis !== undefined && analysis.firstPass === undefined
    ? [unmeasuredWarning(analysis)]
    : []),
]

/** What has a higher true peak (dBTP) is no silence: for 0.4 s, which measuring takes, it would be louder than -70 LUFS. */
const silentDbtp = -50

const unmeasuredWarning = ({
  loudness: { truePeakDbtp },
  decodedS,
}: Pick<Analysis, 'loudness' | 'decodedS'>): Warning =>
  truePeakDbtp !== null && truePeakDbtp > silentDbtp
    ? {
        code: 'TOO_SHORT',
        message: `The input has too little sound to say how loud it is (${rounded(decodedS)} s), so it was left as it is.`,
      }
    : { code: 'SILENT', message: 'The input is silent, so its loudness was left as it is.' }

/** Every file is read back from beginning to end, which also tells how loud it is. */
const checkFiles = async (
  plan: AudioPlan,
  resultS: number,
  options: ConvertOptions,
): Promise<AudioMetadata['outputs']> => {
  const outputs: AudioMetadata['outputs'] = []
  for (const { format, name, shape } of plan.files) {
    const path = localPath(options.folder, format)
    const made = await lookAtAudio(path, options)
    requireMade(path, made, { codecs: formats[format].codecs, shape, durationS: resultS })
    const { stderr, damage } = await run(measureArguments(path, resultS), resultS, options, {
      cpuLimitS: audioCpuLimitS(resultS),
      onProgress: (share) => options.onProgress('check', (outputs.length + share) / plan.files.length),
    })
    const loudness = parseEbur128(stderr, resultS).at(-1)
    if (damage > 0 || loudness === undefined)
      throw new WorkerError('OUTPUT_INVALID', `${name} cannot be decoded without errors`)
    outputs.push({
      name,
      format,
      codec: made.codec,
      channels: made.channels,
      sampleRateHz: made.sampleRateHz,
      bitsPerSecond: Math.max(1, Math.round((made.bytes * 8) / Math.max(made.durationS, 0.001))),
      durationS: rounded(made.durationS),
      bytes: made.bytes,
      loudness,
    })
  }
  return outputs
}

const makePreview = async (plan: AudioPlan, resultS: number, clip: string, options: ConvertOptions) => {
  const { preview } = plan.params
  if (preview === undefined) return undefined
  const planned = planPreview(preview, resultS)
  const { suffix, codecs, sampleRateHz } = formats[preview.format]
  const output = join(options.folder, `preview.${suffix}`)
  await run(
    previewArguments(planned, preview, { clip, shape: plan.shape, tags: plan.tags, output }),
    planned.durationS,
    options,
    { cpuLimitS: audioCpuLimitS(planned.durationS) },
  )
  const made = await lookAtAudio(output, options)
  const shape = { ...plan.shape, sampleRateHz: sampleRateHz(plan.shape.sampleRateHz) }
  requireMade(output, made, { codecs, shape, durationS: planned.durationS })
  await rm(clip)
  const name = `${options.base}.preview.${suffix}`
  return {
    files: [{ path: output, name, role: 'preview' as const }],
    described: { name, ...planned, bytes: made.bytes },
  }
}

const makeWaveform = async (plan: AudioPlan, peaksPath: string, options: ConvertOptions) => {
  const { waveform } = plan.params
  if (waveform === false) return undefined
  const { folder, base, tools, signal } = options
  const { channels } = plan.shape
  const samples = (await sizeOf(peaksPath)) / 2 / channels
  const [fine, coarse] = await readPeaks(peaksPath, {
    channels,
    resolutions: [
      samplesPerPoint(samples, waveform.points),
      // A picture of a short sound is not made of blocks.
      Math.max(1, Math.ceil(samples / (waveform.width * 2))),
    ],
  })
  if (fine === undefined || coarse === undefined) throw new WorkerError('INTERNAL_ERROR', 'no peaks')
  const json = join(folder, 'peaks.json')
  await writeFile(json, waveformJson(fine))
  const pixels = join(folder, 'waveform.rgba')
  const picture = join(folder, 'waveform.png')
  await writeFile(pixels, drawWaveform(coarse, waveform))
  const end = await runChild(tools.ffmpeg.path, pictureArguments(pixels, waveform, picture), {
    env: tools.env,
    signal: AbortSignal.any([signal, AbortSignal.timeout(options.stallMs)]),
  })
  signal.throwIfAborted()
  await rm(pixels)
  if (end.exitCode !== 0 || (await sizeOf(picture)) === 0)
    throw new WorkerError('OUTPUT_INVALID', `no picture was made: ${end.stderr.trim().slice(-200)}`)
  const names = { peaks: `${base}.peaks.json`, picture: `${base}.waveform.png` }
  return {
    files: [
      { path: json, name: names.peaks, role: 'peaks' as const },
      { path: picture, name: names.picture, role: 'waveform' as const },
    ],
    described: {
      ...names,
      points: fine.values.length / 2,
      sampleRateHz: peaksRateHz,
      samplesPerPoint: fine.samplesPerPoint,
      width: waveform.width,
      height: waveform.height,
    },
  }
}

/** @throws WorkerError OUTPUT_INVALID when the second pass does not say what it did */
const normalizationOf = (
  { params, firstPass }: AudioPlan,
  stderr: string,
): AudioMetadata['normalization'] => {
  if (params.loudness === undefined) return null
  const type = firstPass === undefined ? 'none' : parseSecondPass(stderr)
  if (type === undefined) throw new WorkerError('OUTPUT_INVALID', 'ffmpeg did not say how it normalised')
  return { ...params.loudness, type }
}

const toleranceLu = 1
/** Encoders that leave something out change peaks; so much is usual. */
const toleranceDb = 1

/** What was asked for and not reached. Pure. */
export const loudnessWarnings = (
  normalization: AudioMetadata['normalization'],
  outputs: AudioMetadata['outputs'],
): Warning[] => {
  if (normalization === null || normalization.type === 'none') return []
  const { targetLufs, truePeakDbtp } = normalization
  return outputs.flatMap(({ name, loudness: { integratedLufs, truePeakDbtp: peak } }) => [
    ...(integratedLufs !== null && Math.abs(integratedLufs - targetLufs) > toleranceLu
      ? [
          {
            code: 'LOUDNESS_MISSED',
            message: `${name} has ${integratedLufs} LUFS, not ${targetLufs}: its peaks leave no room for more.`,
          },
        ]
      : []),
    ...(peak !== null && peak > truePeakDbtp + toleranceDb
      ? [
          {
            code: 'TRUE_PEAK_EXCEEDED',
            message: `${name} has a true peak of ${peak} dBTP, more than ${truePeakDbtp}: its encoder has changed it.`,
          },
        ]
      : []),
  ])
}

const trimmedOf = ({ startS, endS, innerS, pauses }: NonNullable<AudioPlan['trim']>) => ({
  startS: rounded(startS),
  endS: rounded(endS),
  innerS: rounded(innerS),
  pauses,
})

const sizeOf = (path: string): Promise<number> =>
  stat(path).then(
    ({ size }) => size,
    () => 0,
  )

const rounded = (value: number): number => Math.round(value * 1000) / 1000
