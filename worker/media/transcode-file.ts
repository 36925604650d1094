import { mkdir } from 'node:fs/promises'
import type { TranscodeParams } from '../../schemas/kinds/transcode.ts'
import type { TranscodeWarning } from '../../schemas/metadata.ts'
import { planTranscode, transcodeArguments } from './command.ts'
import { outputBytes, requireDisk } from './disk.ts'
import {
  type Encoded,
  type FinishOptions,
  type FinishStage,
  finishTranscode,
  type Transcoded,
} from './finish.ts'
import { admitInput, type Source } from './gate.ts'
import type { InputLimits } from './limits.ts'
import { runFfmpeg } from './run.ts'

export type TranscodeOptions = Omit<FinishOptions, 'onProgress'> & {
  limits: InputLimits
  onProgress: (stage: 'transcode' | FinishStage, share: number) => void
  /** What was odd about the input before it was opened here. */
  warnings?: readonly TranscodeWarning[]
}

/**
 * Turns one local file into an HLS ladder with everything that belongs to it. What it returns has been looked at, not only
 * written.
 * @param input absolute path of a file whose content nobody has vouched for
 * @param folder absolute path; made if it does not exist
 * @returns every file that belongs to the output, with its name below `folder`
 */
export const transcodeFile = async (
  input: string,
  folder: string,
  params: TranscodeParams,
  options: TranscodeOptions,
): Promise<Transcoded> => {
  await mkdir(folder, { recursive: true })
  const source = await admitInput(input, options)
  return finishTranscode(await encode(input, source, folder, params, options), folder, options)
}

/** One run of ffmpeg: decodes once, makes every rendition. */
const encode = async (
  input: string,
  source: Source,
  folder: string,
  params: TranscodeParams,
  { tools, limits, stallMs, signal, nowMs, freeBytes, onProgress, warnings = [] }: TranscodeOptions,
): Promise<Encoded> => {
  const plan = planTranscode(source, params, tools.toneMaps)
  requireDisk(outputBytes(plan), await freeBytes(folder), source.bytes)
  const end = await runFfmpeg(transcodeArguments(plan, { input, folder, pixels: limits.pixels }), {
    tools,
    durationS: plan.promised.videoS ?? plan.promised.wholeS,
    cpuLimitS: plan.cpuLimitS,
    strict: params.onDamage === 'strict',
    stallMs,
    signal,
    nowMs,
    onProgress: (share) => onProgress('transcode', share),
  })
  return { ...end, source, plan, warnings }
}
