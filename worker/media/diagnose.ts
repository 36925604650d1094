import type { ChildEnd } from '../children.ts'
import { type ErrorCode, WorkerError } from '../errors.ts'

/** What ffmpeg and ffprobe print, and what it means. The first that matches decides. */
const signs: { mark: RegExp; code: ErrorCode; detail: string | ((found: RegExpExecArray) => string) }[] = [
  { mark: /No space left on device/, code: 'DISK_FULL', detail: 'no space was left while writing' },
  {
    mark: /not on whitelist/,
    code: 'INPUT_FORMAT_REFUSED',
    detail: 'it is not a video file but something that points to other files',
  },
  {
    mark: /(\d+x\d+) exceeds specified max pixel count (\d+)/,
    code: 'INPUT_TOO_LARGE',
    detail: ([, size, limit]) => `its pictures are ${size} pixels, at most ${limit} in all are accepted`,
  },
  {
    mark: /moov atom not found/,
    code: 'INPUT_UNREADABLE',
    detail: 'its index is missing, which happens when an upload was cut off',
  },
  {
    mark: /Cannot determine format of input stream|nothing was encoded/,
    code: 'INPUT_UNREADABLE',
    detail: 'it ends before its first picture',
  },
  {
    mark: /Invalid data found|EBML header parsing failed|End of file/,
    code: 'INPUT_UNREADABLE',
    detail: 'its content makes no sense',
  },
  { mark: /Cannot allocate memory/, code: 'OUT_OF_MEMORY', detail: 'an allocation was refused' },
]

export type DiagnoseContext = {
  doing: 'probe' | 'transcode'
  /** ffmpeg may have used up its CPU limit, after which the kernel kills it just like for lack of memory. */
  cpuLimitReached?: boolean
}

/** The failure that the end of ffmpeg or ffprobe stands for. Pure. */
export const diagnose = (end: ChildEnd, { doing, cpuLimitReached = false }: DiagnoseContext): WorkerError => {
  // Signals come first: a damaged input makes ffmpeg complain all the time, whatever ends it.
  if (end.signal === 'SIGKILL' || end.signal === 'SIGXCPU' || end.exitCode === 137)
    return new WorkerError(cpuLimitReached ? 'CPU_LIMIT' : 'OUT_OF_MEMORY')
  // Stopped from outside, without us being asked: whoever stops the task does not always ask in order.
  if (end.signal === 'SIGTERM' || /Exiting normally, received signal/.test(end.stderr))
    return new WorkerError('INTERRUPTED', 'ffmpeg was stopped from outside')
  const told = diagnoseText(end.stderr)
  if (told !== undefined) return told
  const said = end.stderr.trim().split('\n').slice(-3).join(' | ').slice(-300)
  const how = end.signal ?? `exit code ${end.exitCode}`
  return doing === 'probe' && end.signal === null
    ? new WorkerError('INPUT_UNREADABLE', said || how)
    : new WorkerError('FFMPEG_FAILED', said === '' ? how : `${how}: ${said}`)
}

/** The failure that ffmpeg itself tells of, if any; also asked after an exit code 0 that was no success. Pure. */
export const diagnoseText = (stderr: string): WorkerError | undefined => {
  for (const { mark, code, detail } of signs) {
    const found = mark.exec(stderr)
    if (found !== null) return new WorkerError(code, typeof detail === 'string' ? detail : detail(found))
  }
  return undefined
}

/**
 * Lines about frames that could not be decoded whole; both wordings of the versions we run on. Pure.
 * @param midway the decoder begins in the middle of the input, where what it is given first may lack what comes before it
 */
export const tellsOfDamage = (line: string, midway = false): boolean =>
  brokenFrame.test(line) || (!midway && missingPart.test(line))

const brokenFrame =
  /corrupt decoded frame|error while decoding|Error submitting packet to decoder|concealing \d+ .*errors|\[mjpeg[^\]]*\] error /i
/** HEVC and lost packets of MPEG-TS: the frame is shown all the same, and nothing else is said of it. */
const missingPart = /corrupt input packet|Could not find ref with POC/i
