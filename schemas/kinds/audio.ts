import { z } from 'zod'
import { mediaSuffixes } from './hearing.ts'
import type { Kind } from './kind.ts'

export const audioFormats = ['mp3', 'aac', 'opus', 'flac', 'wav'] as const
export type AudioFormat = (typeof audioFormats)[number]

const kbps = (min: number, max: number, preset: number, what: string) =>
  z.number().int().min(min).max(max).default(preset).describe(`${what} in kbit/s, ${min} to ${max}.`)

const color = z.string().regex(/^#[0-9a-f]{6}$/i, { error: 'must be a colour like #3366cc' })

const loudnessSchema = z.strictObject({
  targetLufs: z
    .number()
    .min(-31)
    .max(-9)
    .default(-16)
    .describe(
      'Loudness of the whole, -31 to -9 LUFS; -16 is usual for podcasts, -23 for broadcast (EBU R128).',
    ),
  truePeakDbtp: z.number().min(-9).max(0).default(-1.5).describe('Highest true peak, -9 to 0 dBTP.'),
  rangeLu: z
    .number()
    .min(1)
    .max(20)
    .default(11)
    .describe('Loudness range above which quiet and loud parts are brought together, 1 to 20 LU.'),
})

const trimSilenceSchema = z.strictObject({
  thresholdDb: z
    .number()
    .min(-80)
    .max(-20)
    .default(-50)
    .describe('What is quieter is silence, -80 to -20 dB below full scale.'),
  shortestS: z
    .number()
    .min(0.1)
    .max(60)
    .default(0.5)
    .describe('Only silence that lasts as long is cut. Seconds, 0.1 to 60.'),
  keepS: z
    .number()
    .min(0)
    .max(5)
    .default(0.1)
    .describe('Silence that is left beside what is heard. Seconds, 0 to 5.'),
  inner: z
    .boolean()
    .default(false)
    .describe('true: pauses are shortened too, not only beginning and end cut.'),
})

const waveformSchema = z.strictObject({
  points: z
    .number()
    .int()
    .min(100)
    .max(20_000)
    .default(10_000)
    .describe('At most so many pairs of peaks, 100 to 20000; a short input has one for every 20 ms.'),
  width: z.number().int().min(50).max(4000).default(1200).describe('Picture: pixels, 50 to 4000.'),
  height: z.number().int().min(20).max(1000).default(240).describe('Picture: pixels, 20 to 1000.'),
  color: color.default('#3366cc').describe('Picture: colour of the waveform.'),
  background: color.optional().describe('Picture: colour behind it. Absent: transparent.'),
})

const previewSchema = z.strictObject({
  startS: z
    .number()
    .min(0)
    .max(86_400)
    .default(0)
    .describe('Where the preview begins in the result. Seconds; earlier if it would not fit.'),
  lengthS: z.number().min(1).max(600).default(30).describe('Its length in seconds, 1 to 600.'),
  fadeInS: z.number().min(0).max(10).default(0.5).describe('Seconds in which it becomes loud, 0 to 10.'),
  fadeOutS: z.number().min(0).max(10).default(1).describe('Seconds in which it becomes silent, 0 to 10.'),
  format: z.enum(['mp3', 'aac']).default('mp3').describe('mp3, or aac in an .m4a file.'),
  bitrateKbps: kbps(32, 320, 96, 'Bit rate'),
})

export const audioParamsSchema = z
  .strictObject({
    formats: z
      .array(z.enum(audioFormats))
      .max(audioFormats.length)
      .refine((formats) => new Set(formats).size === formats.length, {
        error: 'must not name a format twice',
      })
      .default(['mp3'])
      .describe(
        'Files to make, named after the input: talk.mp3, .m4a (aac), .opus, .flac, .wav. Empty: none.',
      ),
    bitrateKbps: z
      .strictObject({
        mp3: kbps(32, 320, 128, 'MP3 bit rate'),
        aac: kbps(32, 320, 128, 'AAC bit rate'),
        opus: kbps(16, 256, 96, 'Opus bit rate'),
      })
      .prefault({})
      .describe('Bit rates of the formats that have one. Low sample rates allow less; then it is less.'),
    bitsPerSample: z.literal([16, 24]).default(16).describe('Of flac and wav: 16 or 24.'),
    channels: z
      .enum(['source', 'mono', 'stereo'])
      .default('source')
      .describe('source: mono stays mono, everything else becomes stereo.'),
    loudness: loudnessSchema
      .optional()
      .describe('Brings the whole to a loudness (EBU R128, two passes). Absent: it is only measured.'),
    trimSilence: trimSilenceSchema
      .optional()
      .describe(
        'Cuts silence off; everything that is made is of the trimmed result. Absent: nothing is cut.',
      ),
    waveform: z
      .union([z.literal(false), waveformSchema], { error: 'must be false or an object' })
      .prefault({})
      .describe('Peaks as JSON of audiowaveform, and a picture of them. false: neither.'),
    preview: previewSchema.optional().describe('A short piece, with fades. Absent: none.'),
    onDamage: z
      .enum(['fail', 'keep'])
      .default('fail')
      .describe(
        'What to do with an input that ends early: fail, or keep what could be read, with a warning.',
      ),
  })
  .describe('Parameters of an audio job.')

export type AudioParams = z.infer<typeof audioParamsSchema>

export const audio: Kind = {
  title: 'One upload as MP3, AAC, Opus, FLAC or WAV, with loudness, waveform and preview',
  params: audioParamsSchema,
  input: 'object',
  claims: true,
  group: 'media',
  uploadSuffixes: [...new Set([...mediaSuffixes, '.opus', '.oga', '.mka', '.weba'])],
  resources: { cpu: 1024, memory: 2048 },
}
