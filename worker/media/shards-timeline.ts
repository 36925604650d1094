import type { MediaTools } from '../ffmpeg.ts'
import { diagnose } from './diagnose.ts'
import { stallMs } from './limits.ts'
import type { MediaInput } from './probe.ts'
import { runFfprobe } from './run-ffprobe.ts'

/** When each picture of a video is shown, without one of them being decoded. Seconds count from the start of the file. */
export type Timeline = {
  /** What the time stamps in the file begin with. */
  startS: number
  /** In the order in which they are shown. */
  shownS: number[]
  /** Where a decoder can begin, in the order of the file. `storedS` is the decoding time stamp, never after `shownS`. */
  keys: { shownS: number; storedS: number }[]
  /** A decoder needs nothing that comes before the first picture shown. */
  beginsWithKey: boolean
  /** What speaks against trusting these times, in words; undefined: nothing. */
  fault: string | undefined
}

/**
 * Reads the time stamps of the whole video stream. All bytes of the input pass by, at the speed of the line.
 * @throws WorkerError of `diagnose`, or STALLED
 */
export const readTimeline = async (
  input: MediaInput,
  { tools, signal }: { tools: MediaTools; signal: AbortSignal },
): Promise<Timeline> => {
  const reader = timelineReader()
  const end = await runFfprobe(timelineArguments(input), {
    ...{ tools, signal, onLine: reader.read },
    // It may have to wait for S3, which is asked again for a minute.
    stallMs: stallMs * 2,
  })
  if (end.exitCode !== 0) throw diagnose(end, { doing: 'probe' })
  return reader.timeline()
}

/** Arguments of ffprobe. The line of the container comes after those of the packets. Pure. */
export const timelineArguments = ({ url, guard }: MediaInput): string[] => [
  ...['-v', 'error', ...guard, '-select_streams', 'V:0'],
  ...['-show_entries', 'packet=pts_time,dts_time,flags:format=start_time', '-of', 'csv', url],
]

/** Pure but for what it has seen. */
export const timelineReader = (): { read: (line: string) => void; timeline: () => Timeline } => {
  const shownS: number[] = []
  const keys: Timeline['keys'] = []
  let first: { shownS: number; isKey: boolean } | undefined
  let startS = 0
  let fault: string | undefined
  const readPacket = ([pts = '', dts = '', flags = '']: string[]): void => {
    const timeS = Number.parseFloat(pts)
    if (Number.isNaN(timeS)) {
      fault ??= 'not every picture has a time stamp'
      return
    }
    if (flags.includes('C')) fault ??= 'parts of it are damaged'
    const isKey = flags.includes('K')
    if (isKey) keys.push({ shownS: timeS, storedS: Math.min(timeS, Number.parseFloat(dts) || timeS) })
    // Marked D: decoded for those after it, and never shown.
    if (flags.includes('D')) return
    first ??= { shownS: timeS, isKey }
    shownS.push(timeS)
  }
  return {
    read: (line) => {
      const [section, ...fields] = line.split(',')
      if (section === 'packet') readPacket(fields)
      if (section === 'format') startS = Number.parseFloat(fields[0] ?? '') || 0
    },
    timeline: () => {
      const sorted = Float64Array.from(shownS).sort()
      return {
        startS,
        shownS: Array.from(sorted, (timeS) => timeS - startS),
        keys: keys.map((key) => ({ shownS: key.shownS - startS, storedS: key.storedS - startS })),
        beginsWithKey: first?.isKey === true && first.shownS === sorted[0],
        fault,
      }
    },
  }
}
