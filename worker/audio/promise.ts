import type { Probe } from '../media/probe.ts'

/**
 * Bytes of ID3 tags before the audio: pictures of albums make them long. Pure.
 * @param head the first bytes of a file
 */
export const id3Bytes = (head: Buffer): number => {
  if (head.length < 10 || head.toString('latin1', 0, 3) !== 'ID3') return 0
  // Four bytes of seven bits each, and a header of ten bytes (ID3v2, 3.1).
  return 10 + [6, 7, 8, 9].reduce((sum, at) => sum * 128 + ((head[at] ?? 0) & 127), 0)
}

/** How much of the first frame `tellsDuration` wants to see. */
export const firstFrameBytes = 512

/**
 * Whether an input says how long it is. Bare AAC does not, and MP3 only in a first frame that not every encoder writes: then
 * ffprobe guesses from the first bit rates it meets, which may be wrong several times over. Pure.
 * @param frame bytes from where the audio begins
 */
export const tellsDuration = ({ container }: Pick<Probe, 'container'>, frame: Buffer): boolean => {
  if (container === 'aac') return false
  if (container !== 'mp3') return true
  const text = frame.toString('latin1', 0, firstFrameBytes)
  return ['Xing', 'Info', 'VBRI'].some((mark) => text.includes(mark))
}

/**
 * How much larger a file was meant to be than it is, 1 or more. ffprobe takes what is there of a WAV file for all of it, so
 * only its header tells that it was cut off; one that was written to a pipe says nothing of use. Pure.
 */
export const meantShare = (head: Buffer, bytes: number): number => {
  if (
    head.length < 12 ||
    head.toString('latin1', 0, 4) !== 'RIFF' ||
    head.toString('latin1', 8, 12) !== 'WAVE'
  )
    return 1
  const size = head.readUInt32LE(4)
  return size === 0 || size >= 0xffff_ff00 ? 1 : Math.max(1, (size + 8) / Math.max(1, bytes))
}
