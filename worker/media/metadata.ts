import type { TranscodeMetadata, TranscodeWarning } from '../../schemas/metadata.ts'
import type { Source } from './gate.ts'
import { quotient } from './probe.ts'
import type { CheckedOutput, CheckedPlaylist } from './verify.ts'

/** `metadata.json`: what came in and what was made of it. Pure. */
export const describeTranscode = ({
  source,
  output,
  warnings,
  poster,
  ffmpeg,
}: {
  source: Source
  output: CheckedOutput
  warnings: TranscodeWarning[]
  poster: string
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
    })),
    audioRendition: output.audio && {
      ...measured(output.audio),
      channels: output.audio.channels,
      sampleRateHz: output.audio.sampleRateHz,
    },
    poster,
    warnings,
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
