import type { Stats } from 'node:fs'
import { open, readdir, stat } from 'node:fs/promises'
import { resolve, sep } from 'node:path'
import { z } from 'zod'
import { type Answer, refusal, unknownOperation } from './answer.ts'

/**
 * CloudWatch Logs, as far as one needs it to read: the files that tasks write, `directory/<stream>.log`. There is one line of
 * streams for all groups: the name of a group is accepted and means nothing. Tokens are byte positions, since a log only
 * grows. Files hold no times: an event has the `time` of its line where that is JSON with one (as pino writes), else that of
 * the line before, else that of the file.
 */
export const createLogs = (directory: string, logGroupArn: (group: string) => string) => ({
  call: async (action: string, input: unknown): Promise<Answer> => {
    try {
      switch (action) {
        case 'GetLogEvents':
          return { status: 200, body: await getLogEvents(directory, getRequest.parse(input)) }
        case 'DescribeLogStreams':
          return {
            status: 200,
            body: await describeLogStreams(directory, describeRequest.parse(input), logGroupArn),
          }
        default:
          return unknownOperation(`Logs_20140328.${action}`)
      }
    } catch (error) {
      if (error instanceof LogsError) return refusal(error.type, error.message)
      if (error instanceof z.ZodError) return refusal('InvalidParameterException', error.message)
      throw error
    }
  },
})

class LogsError extends Error {
  readonly type: string
  constructor(type: string, message: string) {
    super(message)
    this.type = type
  }
}

const noSuchStream = () =>
  new LogsError('ResourceNotFoundException', 'The specified log stream does not exist.')
const badToken = () => new LogsError('InvalidParameterException', 'The specified nextToken is invalid.')

const suffix = '.log'

const pathOf = (directory: string, stream: string): string => {
  const path = resolve(directory, `${stream}${suffix}`)
  if (!path.startsWith(resolve(directory) + sep)) throw noSuchStream()
  return path
}

const getRequest = z.object({
  logGroupName: z.string().optional(),
  logGroupIdentifier: z.string().optional(),
  logStreamName: z.string().min(1),
  startTime: z.number().optional(),
  endTime: z.number().optional(),
  nextToken: z.string().optional(),
  limit: z.number().int().min(1).max(10_000).default(10_000),
  startFromHead: z.boolean().default(false),
})

const describeRequest = z.object({
  logGroupName: z.string().optional(),
  logGroupIdentifier: z.string().optional(),
  logStreamNamePrefix: z.string().default(''),
  orderBy: z.enum(['LogStreamName', 'LastEventTime']).default('LogStreamName'),
  descending: z.boolean().default(false),
  limit: z.number().int().min(1).max(50).default(50),
  nextToken: z.string().optional(),
})

/** A group may be named by its name or its ARN. */
const groupOf = (request: { logGroupName?: string | undefined; logGroupIdentifier?: string | undefined }) => {
  const name = request.logGroupName ?? request.logGroupIdentifier?.replace(/^arn:.*:log-group:/, '')
  if (!name) throw new LogsError('InvalidParameterException', 'logGroupName is missing.')
  return name
}

/** One answer holds at most 1 MB (CloudWatch Logs API reference, GetLogEvents). */
const pageBytes = 1024 * 1024

/** A last line without an end is only shown once nothing was written for this long. */
const quietMs = 1_000

const getLogEvents = async (directory: string, request: z.infer<typeof getRequest>) => {
  groupOf(request)
  const path = pathOf(directory, request.logStreamName)
  const about = await fileStats(path)
  if (!about) throw noSuchStream()
  const look = lookOf(request, about.size)
  const page =
    look.direction === 'forward'
      ? await readForward(path, about, look.position, request.limit)
      : await readBackward(path, about, look.position, request.limit)
  const { startTime = 0, endTime = Number.POSITIVE_INFINITY } = request
  return {
    events: withTimes(page.lines, about).filter(
      ({ timestamp }) => timestamp >= startTime && timestamp < endTime,
    ),
    nextForwardToken: `f/${page.end}`,
    nextBackwardToken: `b/${page.start}`,
  }
}

type Look = { direction: 'forward' | 'backward'; position: number }

/** A token says where to go on and in which direction; without one it is the end of the log, or its head on request. */
const lookOf = (request: z.infer<typeof getRequest>, size: number): Look => {
  if (request.nextToken === undefined)
    return request.startFromHead
      ? { direction: 'forward', position: 0 }
      : { direction: 'backward', position: size }
  const [, side, position] = /^([fb])\/(\d{1,15})$/.exec(request.nextToken) ?? []
  if (side === undefined || Number(position) > size) throw badToken()
  return { direction: side === 'f' ? 'forward' : 'backward', position: Number(position) }
}

type Page = { lines: string[]; start: number; end: number }

const newline = 0x0a

const readForward = async (path: string, about: Stats, start: number, limit: number): Promise<Page> => {
  const bytes = await readRange(path, start, Math.min(about.size, start + pageBytes))
  const reachesEnd = start + bytes.length === about.size
  const isQuiet = Date.now() - about.mtimeMs > quietMs
  const isOneLine = bytes.length === pageBytes && !bytes.includes(newline)
  const lines = splitLines(bytes, (reachesEnd && isQuiet) || isOneLine).slice(0, limit)
  return { ...page(lines, start), start }
}

const readBackward = async (path: string, about: Stats, end: number, limit: number): Promise<Page> => {
  const from = Math.max(0, end - pageBytes)
  const bytes = await readRange(path, from, end)
  // What the window cuts at its start belongs to the page before, unless a single line fills it all.
  const afterFirst = from === 0 ? 0 : bytes.indexOf(newline) + 1
  const cut = afterFirst === bytes.length ? 0 : afterFirst
  const isWhole = end < about.size || Date.now() - about.mtimeMs > quietMs
  const lines = splitLines(bytes.subarray(cut), isWhole)
  const skipped = lines.slice(0, -limit).reduce((sum, line) => sum + line.length, 0)
  return page(lines.slice(-limit), from + cut + skipped)
}

const page = (lines: readonly Buffer[], start: number): Page => ({
  lines: lines.map((line) => line.toString('utf8').replace(/\r?\n$/, '')),
  start,
  end: start + lines.reduce((sum, line) => sum + line.length, 0),
})

/** The lines with their ends; a last one without an end only if `withOpenLine`. */
const splitLines = (bytes: Buffer, withOpenLine: boolean): Buffer[] => {
  const lines: Buffer[] = []
  let start = 0
  for (let end = bytes.indexOf(newline); end !== -1; end = bytes.indexOf(newline, start)) {
    lines.push(bytes.subarray(start, end + 1))
    start = end + 1
  }
  if (withOpenLine && start < bytes.length) lines.push(bytes.subarray(start))
  return lines
}

const readRange = async (path: string, start: number, end: number): Promise<Buffer> => {
  const file = await open(path)
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(end - start), 0, end - start, start)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

const withTimes = (lines: readonly string[], about: Stats) => {
  let timestamp = Math.round(about.birthtimeMs)
  return lines.map((message) => {
    timestamp = timeIn(message) ?? timestamp
    return { timestamp, message, ingestionTime: timestamp }
  })
}

const timedLine = z.object({
  time: z.union([z.number().int().positive(), z.iso.datetime().transform((time) => Date.parse(time))]),
})

const timeIn = (line: string): number | undefined => {
  if (!line.startsWith('{')) return undefined
  try {
    return timedLine.safeParse(JSON.parse(line)).data?.time
  } catch {
    return undefined
  }
}

const describeLogStreams = async (
  directory: string,
  request: z.infer<typeof describeRequest>,
  logGroupArn: (group: string) => string,
) => {
  const groupArn = logGroupArn(groupOf(request))
  // The folder comes with the first task.
  const files = await readdir(directory, { recursive: true }).catch(() => [])
  const names = files
    .filter((file) => file.endsWith(suffix) && file.startsWith(request.logStreamNamePrefix))
    .map((file) => file.slice(0, -suffix.length))
  const streams = (await Promise.all(names.map((name) => describe(directory, name, groupArn)))).flat()
  streams.sort(
    request.orderBy === 'LogStreamName'
      ? (a, b) => (a.logStreamName < b.logStreamName ? -1 : 1)
      : (a, b) => a.lastEventTimestamp - b.lastEventTimestamp,
  )
  if (request.descending) streams.reverse()
  const start = request.nextToken === undefined ? 0 : Number(request.nextToken)
  if (!Number.isInteger(start) || start < 0) throw badToken()
  const end = start + request.limit
  return {
    logStreams: streams.slice(start, end),
    ...(end < streams.length && { nextToken: String(end) }),
  }
}

const describe = async (directory: string, name: string, groupArn: string) => {
  const about = await fileStats(pathOf(directory, name))
  if (!about) return []
  return [
    {
      logStreamName: name,
      arn: `${groupArn}:log-stream:${name}`,
      creationTime: Math.round(about.birthtimeMs),
      firstEventTimestamp: Math.round(about.birthtimeMs),
      lastEventTimestamp: Math.round(about.mtimeMs),
      lastIngestionTime: Math.round(about.mtimeMs),
      storedBytes: 0,
    },
  ]
}

const fileStats = async (path: string): Promise<Stats | undefined> => {
  const about = await stat(path).catch(() => undefined)
  return about?.isFile() ? about : undefined
}
