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
    onDamage: z
      .enum(['fail', 'keep'])
      .default('fail')
      .describe(
        'What to do with an input that ends early: fail, or keep what could be read, with a warning.',
      ),
  })
  .describe('Parameters of a transcode job.')

export type TranscodeParams = z.infer<typeof transcodeParamsSchema>

export const transcode: Kind = {
  title: 'One upload into an HLS ladder with poster and metadata',
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
}
