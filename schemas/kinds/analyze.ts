import { z } from 'zod'
import { findScenesResultSchema } from './find-scenes.ts'
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
import { summaryParamsSchema } from './summarize.ts'

export const analyzeParamsSchema = z
  .strictObject({
    title: z
      .string()
      .min(1)
      .max(300)
      .optional()
      .describe('Title of the summary. Default: the name of the input.'),
    ...transcriptParams,
    summary: summaryParamsSchema.optional(),
  })
  .refine(needsTranscriber, transcriberRule)
  .describe('Parameters of an analyze job.')

export const analyze: Kind = {
  title: 'What is said and seen in a recording: speakers, scenes, chapters and a summary',
  params: analyzeParamsSchema,
  input: 'object',
  claims: false,
  group: 'own',
  uploadSuffixes: mediaSuffixes,
  resources: { cpu: 0, memory: 0 },
  pipeline: {
    steps: [
      {
        name: 'audio',
        isTemporary: isTemporaryAudio,
        children: (of) => [
          audioChild(of, 'succeed'),
          {
            kind: 'find-scenes',
            ...(of.settings.input ? { input: of.settings.input } : {}),
            output: `${of.settings.output}scenes/`,
            params: {},
          },
        ],
      },
      transcriptStep,
      {
        name: 'summary',
        children(of) {
          const { title, language, summary } = analyzeParamsSchema.parse(of.settings.params)
          const transcript = transcriptOf(of)
          return [
            {
              kind: 'summarize',
              output: of.settings.output,
              params: {
                ...(transcript ? { transcript } : {}),
                scenes: findScenesResultSchema.parse(of.results.audio?.[1]).scenes,
                title: title ?? baseName(of.settings.input?.key ?? ''),
                ...(language === 'auto' ? {} : { language }),
                ...(summary === undefined ? {} : { summary }),
              },
            },
          ]
        },
      },
    ],
    result: ({ results }) => results.summary?.[0] ?? {},
    temporaryKeys: temporaryAudio,
  },
}
