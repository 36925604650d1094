import { z } from 'zod'
import { WorkerError } from '../errors.ts'

/** Which streams of a source are recorded, and how. */
export type StreamPlan = {
  /** Index of the stream in the source; undefined: there is none. */
  video: number | undefined
  audio: { index: number; codec: 'copy' | 'aac' } | undefined
  isHls: boolean
  /** Whether a seek lands anywhere, and pictures begin at the next key frame only. */
  seeksAnywhere: boolean
  /** Of a source that has an end, and so can be taken up where it was left. */
  durationS: number | undefined
}

/** What players of HLS take in a transport stream (HLS authoring specification), and MPEG-2 video, which costs nothing to keep. */
const videoCodecs = new Set(['h264', 'hevc', 'mpeg2video'])
const audioCodecs = new Set(['aac', 'mp3', 'mp2', 'ac3', 'eac3'])

const streamSchema = z.object({
  index: z.number(),
  codec_type: z.string().catch(''),
  codec_name: z.string().catch('unknown'),
  width: z.number().catch(0),
  height: z.number().catch(0),
  channels: z.number().catch(0),
  disposition: z.object({ attached_pic: z.number().catch(0) }).catch({ attached_pic: 0 }),
})

const probeSchema = z.object({
  format: z.object({
    format_name: z.string().catch(''),
    duration: z.coerce.number().optional().catch(undefined),
  }),
  streams: z.array(streamSchema).catch([]),
  programs: z.array(z.object({ streams: z.array(z.object({ index: z.number() })).catch([]) })).catch([]),
})

/**
 * The largest picture there is, and the sound that belongs to it. Pictures have to fit as they are, since encoding them takes
 * a larger task; sound that does not fit becomes AAC. Pure.
 * @param json what ffprobe said
 * @throws WorkerError SOURCE_UNSUPPORTED
 */
export const planStreams = (json: unknown): StreamPlan => {
  const parsed = probeSchema.safeParse(json)
  if (!parsed.success) throw new WorkerError('SOURCE_UNSUPPORTED', 'ffprobe found no stream in it')
  const { format, streams, programs } = parsed.data
  const pictures = streams.filter(
    ({ codec_type: type, disposition }) => type === 'video' && disposition.attached_pic === 0,
  )
  const fitting = pictures.filter(({ codec_name: codec }) => videoCodecs.has(codec))
  const video = fitting.toSorted((a, b) => b.width * b.height - a.width * a.height)[0]
  if (video === undefined && pictures.length > 0)
    throw new WorkerError(
      'SOURCE_UNSUPPORTED',
      `its video is ${pictures[0]?.codec_name}; ${[...videoCodecs].join(', ')} can be recorded`,
    )
  // Variants of an HLS source are programs: the sound of another one would be fetched besides.
  const together = programs.find(({ streams: ones }) => ones.some(({ index }) => index === video?.index))
  const sounds = streams.filter(({ codec_type: type, channels }) => type === 'audio' && channels > 0)
  const near = sounds.filter(({ index }) => together?.streams.some((one) => one.index === index))
  const audio = (near.length > 0 ? near : sounds)[0]
  if (video === undefined && audio === undefined)
    throw new WorkerError('SOURCE_UNSUPPORTED', 'it has neither video nor audio')
  return {
    video: video?.index,
    audio: audio && { index: audio.index, codec: audioCodecs.has(audio.codec_name) ? 'copy' : 'aac' },
    isHls: format.format_name.split(',').includes('hls'),
    seeksAnywhere: format.format_name === 'mpegts',
    durationS: format.duration !== undefined && format.duration > 0 ? format.duration : undefined,
  }
}
