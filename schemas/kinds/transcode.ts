import { z } from 'zod'
import type { Kind } from './kind.ts'

export const renditionSchema = z.strictObject({
  height: z
    .number()
    .int()
    .min(144)
    .max(2160)
    .multipleOf(2, { error: 'must be even' })
    .describe('Short side of the picture in pixels, 144 to 2160, even. Never above that of the source.'),
  maxBitrateKbps: z
    .number()
    .int()
    .min(50)
    .max(50_000)
    .describe('Highest video bit rate in kbit/s, 50 to 50000.'),
})

export const x264Presets = ['ultrafast', 'superfast', 'veryfast', 'faster', 'fast', 'medium'] as const

/** Sizes and rates of the HLS authoring guidelines for H.264. */
const defaultRenditions = [
  { height: 1080, maxBitrateKbps: 5000 },
  { height: 720, maxBitrateKbps: 2800 },
  { height: 480, maxBitrateKbps: 1400 },
  { height: 360, maxBitrateKbps: 800 },
]

const mp4Error = 'must be "none", "all", or a list of heights'

/** Which renditions become an MP4 file as well. */
const mp4Schema = z
  .union(
    [
      z.enum(['none', 'all']),
      z.array(renditionSchema.shape.height).min(1, { error: 'must name a height, or be "none"' }).max(8),
    ],
    { error: mp4Error },
  )
  .default('none')
  .describe(
    'MP4 files to download beside the HLS renditions: none, all, or a list of heights out of renditions. They are packed anew, not encoded anew.',
  )

export const transcodeParamsSchema = z
  .strictObject({
    renditions: z
      .array(renditionSchema)
      .min(1)
      .max(8)
      .refine((rungs) => new Set(rungs.map((rung) => rung.height)).size === rungs.length, {
        error: 'must not name a height twice',
      })
      .default(defaultRenditions)
      .describe(
        'The ladder. Rungs above the source are left out; when none fits, one at the size of the source is made.',
      ),
    preset: z
      .enum(x264Presets)
      .default('veryfast')
      .describe('x264 preset: slower is smaller at the same quality.'),
    crf: z.number().int().min(16).max(40).default(23).describe('Quality, 16 (large) to 40 (small).'),
    segmentSeconds: z
      .number()
      .int()
      .min(2)
      .max(12)
      .multipleOf(2)
      .default(6)
      .describe('HLS segment length in seconds, even.'),
    audioBitrateKbps: z.number().int().min(32).max(320).default(128).describe('AAC bit rate in kbit/s.'),
    mp4: mp4Schema,
    thumbnailSeconds: z
      .number()
      .int()
      .min(0)
      .max(3600)
      .default(10)
      .describe(
        'Seconds from one thumbnail to the next, up to 3600; 0: none. They are taken from key frames, 2 s apart, and are 200 at most: of a long video they are further apart.',
      ),
    storyboard: z
      .boolean()
      .default(true)
      .describe('Sheets of small pictures with a WebVTT file, for the seek bar of a player.'),
    shardThreshold: z
      .number()
      .int()
      .min(0)
      .max(86_400)
      .default(600)
      .describe(
        'An input that is longer is cut into shards, which are encoded side by side and joined. Seconds, 0 to 86400; 86400: never.',
      ),
    shardSeconds: z
      .number()
      .int()
      .min(2)
      .max(3600)
      .default(300)
      .describe(
        'About how long each shard is. Seconds, 2 to 3600; longer where there would be more than 120.',
      ),
    onDamage: z
      .enum(['fail', 'keep', 'strict'])
      .default('fail')
      .describe(
        'What to do with a damaged input. fail: one that ends early fails, damaged pictures are a warning. keep: both are a warning. strict: both fail.',
      ),
  })
  .superRefine(({ mp4, renditions }, context) => {
    if (typeof mp4 === 'string') return
    for (const [index, height] of mp4.entries())
      if (!renditions.some((rendition) => rendition.height === height))
        context.addIssue({ code: 'custom', path: ['mp4', index], message: 'must be a height of renditions' })
  })
  .describe('Parameters of a transcode job.')

export type TranscodeParams = z.infer<typeof transcodeParamsSchema>

/**
 * What cannot be cut into shards is encoded by one task, and the longest input that is taken, 24 h, costs about 3 CPU seconds a second on two
 * cores: 36 h. A task that stands still does not last that long, since its heartbeat and its own watchdog end it.
 */
const wholeTakesS = 48 * 3600

export const transcode: Kind = {
  title: 'One upload into an HLS ladder with pictures, metadata and, on request, MP4 files',
  params: transcodeParamsSchema,
  input: 'object',
  claims: true,
  group: 'media',
  uploadSuffixes: [
    '.mp4',
    '.mov',
    '.m4v',
    '.mkv',
    '.webm',
    '.avi',
    '.ts',
    '.mts',
    '.m2ts',
    '.flv',
    '.mpg',
    '.mpeg',
  ],
  resources: { cpu: 2048, memory: 4096 },
  takesS: () => wholeTakesS,
}
