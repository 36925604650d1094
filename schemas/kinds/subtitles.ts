import { z } from 'zod'
import { outputPrefixSchema } from '../object-address.ts'
import {
  audioChild,
  baseName,
  isTemporaryAudio,
  mediaSuffixes,
  needsTranscriber,
  temporaryAudio,
  transcriberRule,
  transcriptOf,
  transcriptParams,
  transcriptStep,
} from './hearing.ts'
import type { Kind } from './kind.ts'
import { subtitleFormats } from './publish-subtitles.ts'

export const subtitlesParamsSchema = z
  .strictObject({
    formats: z
      .array(z.enum(subtitleFormats))
      .min(1)
      .max(2)
      .default(['srt', 'vtt'])
      .describe('Files to write: srt, vtt.'),
    hlsPrefix: outputPrefixSchema
      .optional()
      .describe('Outputs of a transcode job, whose master playlist is given these subtitles.'),
    ...transcriptParams,
  })
  .refine(needsTranscriber, transcriberRule)
  .describe('Parameters of a subtitles job.')

export const subtitles: Kind = {
  title: 'Subtitles of a recording: SRT and VTT, named after the input',
  params: subtitlesParamsSchema,
  input: 'object',
  claims: false,
  group: 'own',
  uploadSuffixes: mediaSuffixes,
  resources: { cpu: 0, memory: 0 },
  pipeline: {
    steps: [
      { name: 'audio', isTemporary: isTemporaryAudio, children: (of) => [audioChild(of, 'fail')] },
      transcriptStep,
      {
        name: 'publish',
        children(of) {
          const { formats, hlsPrefix, language } = subtitlesParamsSchema.parse(of.settings.params)
          const transcript = transcriptOf(of)
          return [
            {
              kind: 'publish-subtitles',
              output: of.settings.output,
              params: {
                transcript,
                name: baseName(of.settings.input?.key ?? ''),
                formats,
                ...(language === 'auto' ? {} : { language }),
                ...(hlsPrefix === undefined ? {} : { hlsPrefix }),
              },
            },
          ]
        },
      },
    ],
    result: ({ results }) => results.publish?.[0] ?? {},
    temporaryKeys: temporaryAudio,
  },
}
