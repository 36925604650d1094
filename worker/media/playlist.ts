/** What a media playlist lists, of RFC 8216 the parts that we write. */
export type MediaPlaylist = {
  init: string | undefined
  segments: { uri: string; durationS: number }[]
  targetS: number
  ended: boolean
}

export const parseMediaPlaylist = (text: string): MediaPlaylist => {
  const playlist: MediaPlaylist = { init: undefined, segments: [], targetS: 0, ended: false }
  let durationS = 0
  for (const line of text.split('\n').map((each) => each.trim())) {
    const [, tag = '', value = ''] = /^#(EXT[A-Z-]*):?(.*)$/.exec(line) ?? []
    if (tag === 'EXTINF') durationS = Number.parseFloat(value)
    else if (tag === 'EXT-X-TARGETDURATION') playlist.targetS = Number(value)
    else if (tag === 'EXT-X-MAP') playlist.init = /URI="([^"]*)"/.exec(value)?.[1]
    else if (tag === 'EXT-X-ENDLIST') playlist.ended = true
    else if (line !== '' && !line.startsWith('#')) playlist.segments.push({ uri: line, durationS })
  }
  return playlist
}

export const playlistDurationS = (playlist: MediaPlaylist): number =>
  playlist.segments.reduce((sum, segment) => sum + segment.durationS, 0)

/** Every file that the playlist needs to be played. */
export const listedFiles = (playlist: MediaPlaylist): string[] => [
  ...(playlist.init === undefined ? [] : [playlist.init]),
  ...playlist.segments.map((segment) => segment.uri),
]

/**
 * What is wrong with a playlist and its files; nothing means that it is whole. ffmpeg exits with 0 and prints nothing when
 * the disk is full while it writes HLS: then files here are missing or empty. Pure.
 * @param bytesOf size of a listed file, undefined where there is none
 */
export const playlistProblems = (
  playlist: MediaPlaylist,
  bytesOf: (uri: string) => number | undefined,
): string[] => [
  ...(playlist.ended ? [] : ['has no end']),
  ...(playlist.init === undefined ? ['names no initialisation segment'] : []),
  ...(playlist.segments.length === 0 ? ['lists no segments'] : []),
  ...listedFiles(playlist).flatMap((uri) => {
    const bytes = bytesOf(uri)
    if (bytes === undefined) return [`lists ${uri}, which does not exist`]
    return bytes === 0 ? [`lists ${uri}, which is empty`] : []
  }),
]

export type Rates = { peakBitsPerSecond: number; averageBitsPerSecond: number }

/**
 * Rates as players understand BANDWIDTH: the fastest segment. Segments shorter than half the target duration are left out
 * (RFC 8216, 4.1), since a tail of 20 ms can have any rate. Pure.
 */
export const measureRates = (
  playlist: MediaPlaylist,
  bytesOf: (uri: string) => number | undefined,
): Rates => {
  const rates = playlist.segments.map((segment) => ({ ...segment, bytes: bytesOf(segment.uri) ?? 0 }))
  const full = rates.filter((segment) => segment.durationS >= playlist.targetS / 2)
  const peaks = (full.length > 0 ? full : rates).map((segment) => (segment.bytes * 8) / segment.durationS)
  const bytes = rates.reduce((sum, segment) => sum + segment.bytes, 0)
  const averageBitsPerSecond = Math.ceil((bytes * 8) / playlistDurationS(playlist))
  // A short loud tail that was left out must not leave the peak below the average.
  return {
    peakBitsPerSecond: peaks.reduce((most, peak) => Math.max(most, Math.ceil(peak)), averageBitsPerSecond),
    averageBitsPerSecond,
  }
}

export type Variant = Rates & {
  uri: string
  width: number
  height: number
  frameRate: number
  codecs: string
}

/**
 * The master playlist. We write it ourselves: that of ffmpeg takes BANDWIDTH from -maxrate and has neither
 * AVERAGE-BANDWIDTH nor FRAME-RATE. Pure.
 * @param audio the audio that goes with every variant, null without
 */
export const masterPlaylist = (
  variants: readonly Variant[],
  audio: (Rates & { uri: string; codecs: string; channels: number }) | null,
): string => {
  const media =
    audio === null
      ? []
      : [
          `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="audio",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="${audio.channels}",URI="${audio.uri}"`,
        ]
  const streams = variants.flatMap((variant) => {
    const attributes = [
      `BANDWIDTH=${variant.peakBitsPerSecond + (audio?.peakBitsPerSecond ?? 0)}`,
      `AVERAGE-BANDWIDTH=${variant.averageBitsPerSecond + (audio?.averageBitsPerSecond ?? 0)}`,
      `RESOLUTION=${variant.width}x${variant.height}`,
      `FRAME-RATE=${variant.frameRate.toFixed(3)}`,
      `CODECS="${[variant.codecs, ...(audio === null ? [] : [audio.codecs])].join(',')}"`,
      ...(audio === null ? [] : ['AUDIO="audio"']),
    ]
    return [`#EXT-X-STREAM-INF:${attributes.join(',')}`, variant.uri]
  })
  return ['#EXTM3U', '#EXT-X-VERSION:7', '#EXT-X-INDEPENDENT-SEGMENTS', ...media, ...streams, ''].join('\n')
}

/**
 * The codec string of an H.264 initialisation segment, like avc1.64001f: profile, constraints and level as the `avcC` box
 * has them (ISO/IEC 14496-15), so it is right whatever the preset made of the profile. Pure.
 */
export const avcCodec = (init: Buffer): string | undefined => {
  const at = init.indexOf('avcC', 0, 'latin1')
  return at < 0 || init.length < at + 8 ? undefined : `avc1.${init.subarray(at + 5, at + 8).toString('hex')}`
}

/** What our AAC encoder makes: AAC-LC. */
export const aacCodec = 'mp4a.40.2'
