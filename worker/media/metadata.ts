import type { TranscodeMetadata, TranscodeWarning } from '../../schemas/metadata.ts'
import type { Loudness } from '../audio/ebur128.ts'
import type { Source } from './gate.ts'
import type { Download } from './mp4.ts'
import { quotient } from './probe.ts'
import type { Stills } from './stills.ts'
import type { CheckedOutput, CheckedPlaylist } from './verify.ts'

/** `metadata.json`: what came in and what was made of it. Pure. */
export const describeTranscode = ({
  source,
  output,
  warnings,
  poster,
  stills,
  loudness,
  downloads,
  shards,
  ffmpeg,
}: {
  source: Source
  output: CheckedOutput
  warnings: TranscodeWarning[]
  poster: string
  stills: Stills
  loudness: Loudness | null
  downloads: Download[]
  shards?: number
  ffmpeg: string
}): TranscodeMetadata => {
  const { video, audio } = source
  return {
    schemaVersion: 1,
    container: source.container,
    bytes: source.bytes,
    durationS: source.durationS,
    streams: source.streams,
    video: {
      codec: video.codec,
      codedWidth: video.codedWidth,
      codedHeight: video.codedHeight,
      width: video.width,
      height: video.height,
      rotationDegrees: video.rotationDegrees,
      sampleAspectRatio: `${video.sampleAspectRatio.num}:${video.sampleAspectRatio.den}`,
      pixelFormat: video.pixelFormat,
      frameRate: rounded(quotient(video.averageRate)),
      variableFrameRate: video.variableFrameRate,
      interlaced: video.interlaced,
      hdr: video.hdr,
      color: video.color,
    },
    audio:
      audio === undefined
        ? null
        : { codec: audio.codec, channels: audio.channels, sampleRateHz: audio.sampleRateHz },
    renditions: output.renditions.map((rendition) => ({
      ...measured(rendition),
      width: rendition.width,
      height: rendition.height,
      frameRate: rounded(rendition.frameRate),
      frames: rendition.frames,
      color: { ...rendition.color, range: 'tv' },
    })),
    audioRendition: output.audio && {
      ...measured(output.audio),
      channels: output.audio.channels,
      sampleRateHz: output.audio.sampleRateHz,
    },
    loudness,
    poster,
    thumbnails: stills.thumbnails,
    storyboard: stills.storyboard,
    downloads: downloads.map((download) => ({ ...download, durationS: rounded(download.durationS) })),
    warnings,
    ...(shards === undefined ? {} : { shards }),
    ffmpeg,
  }
}

const measured = (checked: CheckedPlaylist) => ({
  name: checked.name,
  playlist: checked.playlist,
  codecs: checked.codecs,
  peakBitsPerSecond: checked.peakBitsPerSecond,
  averageBitsPerSecond: checked.averageBitsPerSecond,
  durationS: rounded(checked.durationS),
  segments: checked.segments.length,
  bytes: checked.bytes,
})

const rounded = (value: number): number => Math.round(value * 1000) / 1000
