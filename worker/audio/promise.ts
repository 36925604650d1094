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
 * Whether an input says how long it is. Bare AAC does not; nor does Ogg, where one stream may follow another and only the last
 * one says how long it is. MP3 says it only in a first frame that not every encoder writes, and only for itself: another MP3 or
 * a large tag may stand behind it. ffmpeg no longer believes that frame when the file is more than a sixteenth larger than it says
 * (mp3dec.c), and guesses from the first bit rates it meets, which may be wrong several times over. Pure.
 * @param frame bytes from where the audio begins
 * @param bytes of the file from there on
 */
export const tellsDuration = (
  { container }: Pick<Probe, 'container'>,
  frame: Buffer,
  bytes: number,
): boolean => {
  if (container === 'aac' || container === 'ogg') return false
  if (container !== 'mp3') return true
  const said = bytesSaid(frame)
  // Less than ffmpeg lets pass: a short MP3 behind a long one would be taken for damage. Small tags are within it.
  return said !== undefined && (said === 0 || bytes <= said * 1.01)
}

/** How large an MP3 that says how long it is says that it is. 0: it does not say that. undefined: not even how long it is. */
const bytesSaid = (frame: Buffer): number | undefined => {
  const text = frame.toString('latin1', 0, firstFrameBytes)
  const xing = text.search(/Xing|Info/)
  if (xing >= 0) {
    const flags = numberAt(frame, xing + 4)
    if ((flags & 1) === 0) return undefined
    return (flags & 2) === 0 ? 0 : numberAt(frame, xing + 12)
  }
  const vbri = text.indexOf('VBRI')
  return vbri < 0 ? undefined : numberAt(frame, vbri + 10)
}

/** A chain of very many short ones is not followed to its end: each takes two questions to S3. */
const mostReads = 200

/**
 * How many tags stand between MP3s that were joined: each exactly where the MP3 before says that it ends, and before a frame. It is no
 * sound, and ffmpeg complains of it as of one broken frame. Where nothing says what comes next, no more are looked for.
 * @param readAt what stands at an offset of the file, at most `firstFrameBytes` of it
 * @param start where the first MP3 begins
 */
export const tagsBetween = async (
  readAt: (offset: number) => Promise<Buffer>,
  start: number,
): Promise<number> => {
  let tags = 0
  let at = start
  let isBehindTag = false
  for (let reads = 0; reads < mostReads; reads += 1) {
    const found = await readAt(at)
    const tag = id3Bytes(found)
    if (isBehindTag && isFrame(found)) tags += 1
    isBehindTag = tag > 0
    const length = tag > 0 ? tag : (bytesSaid(found) ?? 0)
    if (length === 0) break
    at += length
  }
  return tags
}

/** Eleven bits set. */
const isFrame = (bytes: Buffer): boolean => bytes[0] === 0xff && ((bytes[1] ?? 0) & 0xe0) === 0xe0

const numberAt = (bytes: Buffer, at: number): number => (at + 4 > bytes.length ? 0 : bytes.readUInt32BE(at))

/**
 * How much larger a file was meant to be than it is, 1 or more. ffprobe takes what is there of a WAV file for all of it, so
 * only its header tells that it was cut off; one that was written to a pipe says nothing of use. Pure.
 */
export const meantShare = (head: Buffer, bytes: number): number => {
  const size = riffBytes(head)
  return size === 0 ? 1 : Math.max(1, (size + 8) / Math.max(1, bytes))
}

/** What the header of a WAV file says about its size; 0: nothing of use. */
const riffBytes = (head: Buffer): number => {
  if (head.length < 12 || head.toString('latin1', 8, 12) !== 'WAVE') return 0
  const form = head.toString('latin1', 0, 4)
  const size = head.readUInt32LE(4)
  if (form === 'RIFF') return isPlaceholder(size) ? 0 : size
  // Above 4 GiB (EBU Tech 3306). Where the samples are counted, ffprobe goes by their number.
  if (form !== 'RF64' || head.length < 44 || head.readBigUInt64LE(36) !== 0n) return 0
  return Number(head.readBigUInt64LE(20))
}

/** Who writes to a pipe cannot come back with the size: ffmpeg leaves the highest number there, SoX and arecord 2 GiB or nearly so. */
const isPlaceholder = (size: number): boolean =>
  size === 0 || size >= 0xffff_ff00 || (size >= 0x7fff_f000 && size < 0x8000_0100)

/**
 * Whether a WAV file was written to a pipe. ffmpeg looks for more behind its end, and complains that there is none. Pure.
 * @param head the first bytes of the file
 */
export const isPipedWav = (head: Buffer): boolean =>
  /^RIFF.{4}WAVE/s.test(head.toString('latin1', 0, 12)) && isPlaceholder(head.readUInt32LE(4))
