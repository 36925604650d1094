import { once } from 'node:events'
import { access, constants, mkdtemp, rm, statfs } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import type { Configuration } from '../schemas/configuration.ts'
import { sentenceOf } from '../schemas/problems.ts'
import { readConfiguration, readDotenv } from '../schemas/read-configuration.ts'
import { WorkerError } from '../worker/errors.ts'
import { findMediaTools } from '../worker/ffmpeg.ts'

/** One line of the doctor's table. `remedy` says how to get what is missing, in one or more lines. */
export type Check = { what: string; found: string } & ({ ok: true } | { ok: false; remedy: string })

/** Everything that `npm start` and `npm run demo` need on this machine, looked at and left as it was. */
export const checkMachine = async (directory: string, environment: NodeJS.ProcessEnv): Promise<Check[]> => {
  const read = readConfiguration(environment, readDotenv(directory))
  const configuration = read.ok ? read.configuration : defaults()
  return [
    read.ok
      ? { what: 'configuration', found: 'valid', ok: true }
      : {
          what: 'configuration',
          found: `${read.problems.length} wrong; what follows was checked with the defaults`,
          ok: false,
          remedy: read.problems.map(sentenceOf).join('\n'),
        },
    ...(await checkMedia(configuration, environment.PATH ?? '')),
    await checkPort('PORT', configuration.HOST, configuration.PORT),
    await checkPort('LOCAL_AWS_PORT', '127.0.0.1', configuration.LOCAL_AWS_PORT),
    ...(await checkDisk(resolve(directory, configuration.LOCAL_DATA_DIR))),
  ]
}

const defaults = (): Configuration => {
  const read = readConfiguration({}, {})
  if (!read.ok) throw new Error('the defaults of the configuration are not valid')
  return read.configuration
}

/** Found by the worker's own code, so that the doctor cannot be wrong about what it will use. */
const checkMedia = async ({ FFMPEG_PATH, FFPROBE_PATH }: Configuration, path: string): Promise<Check[]> => {
  const scratch = await mkdtemp(join(tmpdir(), 'doctor-'))
  try {
    const tools = await findMediaTools({
      ffmpegPath: FFMPEG_PATH,
      ffprobePath: FFPROBE_PATH,
      path,
      scratch,
      signal: AbortSignal.timeout(30_000),
    })
    const places = { variable: 'set', PATH: 'PATH', npm: 'npm package' }
    const foundAt = ({ path: file, version, source }: typeof tools.ffmpeg) =>
      `${version} (${places[source]}: ${file})`
    return [
      { what: 'ffmpeg', found: foundAt(tools.ffmpeg), ok: true },
      { what: 'ffprobe', found: foundAt(tools.ffprobe), ok: true },
      {
        what: 'ffmpeg filters',
        found: tools.toneMaps ? 'all' : 'all needed; without zscale and tonemap HDR is not converted to SDR',
        ok: true,
      },
    ]
  } catch (error) {
    if (!(error instanceof WorkerError)) throw error
    return [{ what: 'ffmpeg and ffprobe', found: error.code, ok: false, remedy: error.message }]
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

const checkPort = async (name: string, host: string, port: number): Promise<Check> => {
  const what = `port ${port}`
  const server = createServer().listen(port, host)
  try {
    await once(server, 'listening')
    return { what, found: port === 0 ? 'any free one' : 'free', ok: true }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
    return {
      what,
      found: code === 'EADDRINUSE' ? 'in use' : code,
      ok: false,
      remedy: `stop what listens there (maybe this project itself), or set ${name} to another port`,
    }
  } finally {
    server.close()
  }
}

/** A gigabyte of video becomes about as much again in renditions, and both stand on the disk for a while. */
const diskGiBMin = 2

const checkDisk = async (dataDir: string): Promise<Check[]> => {
  const existing = await nearestExisting(dataDir)
  const isWritable = await access(existing, constants.W_OK).then(
    () => true,
    () => false,
  )
  const { bavail, bsize } = await statfs(existing)
  const freeGiB = (bavail * bsize) / 1024 ** 3
  const found = `${freeGiB.toFixed(1)} GiB free`
  return [
    isWritable
      ? { what: 'data directory', found: dataDir, ok: true }
      : {
          what: 'data directory',
          found: `${existing} is not writable`,
          ok: false,
          remedy: `make it writable, or set LOCAL_DATA_DIR`,
        },
    freeGiB >= diskGiBMin
      ? { what: 'disk', found, ok: true }
      : { what: 'disk', found, ok: false, remedy: `have ${diskGiBMin} GiB free, or set LOCAL_DATA_DIR` },
  ]
}

/** The data directory is made at the first start, so what counts is the folder that it will be in. */
const nearestExisting = async (path: string): Promise<string> =>
  access(path).then(
    () => path,
    () => (dirname(path) === path ? path : nearestExisting(dirname(path))),
  )
