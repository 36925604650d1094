/** What an input may be. Beyond it the job fails with the limit and the value in the sentence. */
export const inputLimits = {
  bytes: 150 * 1024 ** 3, // A Fargate task has at most 200 GiB of disk, and the renditions go there too.
  pixels: 8192 * 4320,
  durationS: 24 * 3600,
  streams: 16,
  framesPerSecond: 240, // Slow motion of phones.
} as const

export type InputLimits = { [Name in keyof typeof inputLimits]: number }

/** No new progress for so long means that ffmpeg hangs. */
export const stallMs = 60_000

/** ffprobe that prints nothing for so long is stopped. It says nothing while it reads the beginning of an input. */
export const probeTimeoutMs = 30_000

/** One block of memory, not all of it; the limit of the container is what counts in the end. */
const allocationBytes = 1024 ** 3

/**
 * Demuxers that read one file and nothing else. This list is what keeps a playlist that is named .mp4 from opening other
 * files and addresses: hls, dash, concat and the image demuxers are not in it.
 */
const inputFormats = [
  'mov',
  'mp4',
  'matroska',
  'webm',
  'mpegts',
  'mpeg',
  'avi',
  'flv',
  'mp3',
  'aac',
  'wav',
  'flac',
  'ogg',
]

/**
 * What must stand before every input that users gave us, for ffprobe and ffmpeg alike.
 * @param protocols that ffmpeg may use; for an input that is not a file without `file`, or it could name files of ours
 */
export const inputGuard = (pixels: number, protocols = 'file,crypto,data'): string[] => [
  '-protocol_whitelist',
  protocols,
  '-format_whitelist',
  inputFormats.join(','),
  '-max_pixels',
  String(pixels),
  '-max_alloc',
  String(allocationBytes),
]

/**
 * What stands before an input whose sound begins later than ffmpeg looks for it by itself, which is 7 s or 5 MB: MPEG says of a
 * sound only what its first packet says. It is kept in memory meanwhile.
 */
export const farLook: readonly string[] = ['-analyzeduration', '120000000', '-probesize', '100000000']

/** What must stand before the playlists that we made ourselves. */
export const ownPlaylistGuard: readonly string[] = [
  '-protocol_whitelist',
  'file,crypto,data',
  '-format_whitelist',
  'hls,mov,mp4',
  '-allowed_extensions',
  'ALL',
]

/**
 * CPU seconds after which the kernel ends ffmpeg. Generous: it is there for inputs made to burn time, and ordinary ones
 * take 3 s for a second of 1080p.
 */
export const cpuLimitS = (durationS: number, renditions: number): number =>
  Math.ceil(600 + 20 * durationS * (renditions + 1))
