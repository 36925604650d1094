/** What the first bytes say a file is. Names and content types prove nothing. */
export type Recognised =
  | { is: 'media' }
  /** Something that ffmpeg might well open, and must not. */
  | { is: 'refused'; what: string }
  | { is: 'unreadable'; what: string }

/** How many bytes `recognise` wants to see. */
export const recognisedBytes = 4096

/** @param head the first bytes of the file, at least 600 of them unless the file is shorter */
export const recognise = (head: Buffer): Recognised => {
  if (isPicture(head)) return { is: 'refused', what: 'a picture' }
  if (isMedia(head)) return { is: 'media' }
  if (head.every((byte) => byte === 0)) return { is: 'unreadable', what: 'it contains only zeros' }
  const text = textOf(head)
  if (text === undefined)
    return { is: 'unreadable', what: 'its first bytes are those of no format known here' }
  const list = textLists.find(({ mark }) => mark.test(text))
  if (list !== undefined) return { is: 'refused', what: list.what }
  return { is: 'unreadable', what: 'it is a text' }
}

const textLists = [
  { mark: /^#EXTM3U/i, what: 'a playlist' },
  { mark: /^ffconcat/i, what: 'a list of files' },
  { mark: /<MPD[\s>]/i, what: 'a DASH manifest' },
  { mark: /<svg[\s>]/i, what: 'a picture' },
  { mark: /<SmoothStreamingMedia[\s>]/i, what: 'a streaming manifest' },
]

const isPicture = (head: Buffer): boolean =>
  startsWith(head, '89504e470d0a1a0a') || // PNG
  startsWith(head, 'ffd8ff') || // JPEG
  ['GIF8', 'BM', 'II*\0', 'MM\0*', '8BPS'].some((mark) => ascii(head, 0, mark.length) === mark) ||
  (ascii(head, 0, 4) === 'RIFF' && ascii(head, 8, 4) === 'WEBP') ||
  (ascii(head, 4, 4) === 'ftyp' && ['heic', 'heix', 'mif1', 'avif'].includes(ascii(head, 8, 4)))

/** Atoms that a QuickTime file may begin with; MP4 begins with ftyp. */
const firstAtoms = ['ftyp', 'moov', 'mdat', 'wide', 'free', 'skip', 'pnot', 'styp']

const isMedia = (head: Buffer): boolean =>
  firstAtoms.includes(ascii(head, 4, 4)) ||
  startsWith(head, '1a45dfa3') || // Matroska, WebM
  (ascii(head, 0, 4) === 'RIFF' && ['AVI ', 'WAVE'].includes(ascii(head, 8, 4))) ||
  (ascii(head, 0, 4) === 'RF64' && ascii(head, 8, 4) === 'WAVE') || // WAV above 4 GiB (EBU Tech 3306).
  ['FLV', 'OggS', 'fLaC', 'ID3'].some((mark) => ascii(head, 0, mark.length) === mark) ||
  startsWith(head, '000001ba') || // MPEG program stream
  isTransportStream(head, 0, 188) ||
  isTransportStream(head, 4, 192) || // Blu-ray and camcorders put a time stamp before each packet.
  isAudioFrame(head)

const isTransportStream = (head: Buffer, offset: number, packet: number): boolean =>
  [0, 1, 2].every((n) => head[offset + packet * n] === 0x47)

/** MP3 and AAC begin with a frame: eleven bits set. They hold no video, and the probe says so better than we can here. */
const isAudioFrame = (head: Buffer): boolean =>
  head[0] === 0xff && ((head[1] ?? 0) & 0xe0) === 0xe0 && ((head[1] ?? 0) & 0x06) !== 0x06 && head[1] !== 0xff

const startsWith = (head: Buffer, hex: string): boolean =>
  head.subarray(0, hex.length / 2).toString('hex') === hex

const ascii = (head: Buffer, offset: number, length: number): string =>
  head.subarray(offset, offset + length).toString('latin1')

/** The bytes as text, if they can be one: no control characters but white space. */
const textOf = (head: Buffer): string | undefined =>
  head.some((byte) => byte < 9 || (byte > 13 && byte < 32) || byte === 127)
    ? undefined
    : head
        .toString('utf8')
        .replace(/^\uFEFF/, '')
        .trimStart()
