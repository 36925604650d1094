import { z } from 'zod'
import { audioMetadataSchema } from '../schemas/audio-metadata.ts'
import { configurationGroups } from '../schemas/configuration.ts'
import { type ExitVerdict, judgeExitCode } from '../schemas/exit-codes.ts'
import { jobRecordSchema } from '../schemas/job.ts'
import { kinds } from '../schemas/kinds/index.ts'
import { manifestSchema } from '../schemas/manifest.ts'
import { jobRequestSchema } from '../schemas/message.ts'
import { transcodeMetadataSchema } from '../schemas/metadata.ts'
import { recordingSchema } from '../schemas/recording.ts'
import { scenesSchema } from '../schemas/scenes.ts'
import { summarySchema } from '../schemas/summary.ts'
import { torrentInfoSchema } from '../schemas/torrent.ts'
import { errorCatalogue } from '../worker/errors.ts'

export type GeneratedFile = { path: string; text: string }

/** Every file under version control that is made from the schemas; paths are relative to the repository. */
export const generatedFiles = (): GeneratedFile[] => [
  schemaFile('job', 'A job record', jobRecordSchema),
  schemaFile('job-request', 'A job, asked for by message or POST', jobRequestSchema),
  schemaFile('manifest', 'The outputs of a job', manifestSchema),
  schemaFile('metadata', 'What a transcode job found and made', transcodeMetadataSchema),
  schemaFile('audio-metadata', 'What an audio job found and made', audioMetadataSchema),
  schemaFile('recording', 'What a record job has recorded, and how it goes on', recordingSchema),
  schemaFile('torrent', 'What a torrent job has made', torrentInfoSchema),
  schemaFile('summary', 'What was said and shown in a recording', summarySchema),
  schemaFile('scenes', 'The scenes of a video', scenesSchema),
  ...Object.entries(kinds).map(([name, kind]) =>
    schemaFile(`params-${name}`, `spec.params of kind ${name}`, kind.params),
  ),
  { path: '.env.example', text: envExample() },
  { path: 'docs/configuration.md', text: configurationPage() },
  { path: 'docs/worker-errors.md', text: workerErrorsPage() },
]

/** As a writer has to meet it: what has a default may be left out. */
const schemaFile = (name: string, title: string, schema: z.ZodType): GeneratedFile => {
  const { $schema, ...rest } = z.toJSONSchema(schema, { target: 'draft-2020-12', io: 'input' })
  const document = { $schema, $id: `urn:ecs-job-operator:${name}`, title, ...rest }
  return { path: `docs/schemas/${name}.json`, text: `${JSON.stringify(document, null, 2)}\n` }
}

const groupTitles: Record<keyof typeof configurationGroups, string> = {
  shared: 'Every process',
  controller: 'Controller',
  local: 'Local AWS',
}

const groups = () =>
  (Object.keys(groupTitles) as (keyof typeof configurationGroups)[]).map((name) => ({
    title: groupTitles[name],
    settings: Object.entries(configurationGroups[name]).map(([setting, schema]) => describe(setting, schema)),
  }))

type Setting = { name: string; preset: string; values: string; what: string }

const describe = (name: string, schema: z.ZodType): Setting => {
  const shape = z.toJSONSchema(schema, { io: 'input' })
  const preset = schema.safeParse(undefined).data
  return {
    name,
    preset: presetText(shape.default ?? preset),
    values: valuesText(shape),
    what: schema.description ?? '',
  }
}

const presetText = (value: unknown): string =>
  typeof value === 'object' ? JSON.stringify(value) : value === undefined ? '' : String(value)

const valuesText = ({
  enum: choices,
  type,
  minimum,
  maximum,
  format,
}: z.core.JSONSchema.JSONSchema): string => {
  if (choices) return choices.join(', ')
  if (type === 'integer' || type === 'number') return `${minimum} to ${maximum}`
  return format === 'uri' ? 'URL' : ''
}

const envExample = (): string =>
  [
    '# Copy to .env and uncomment what you change. Variables of the environment win over this file.',
    '# Made by `npm run docs` from schemas/configuration.ts.',
    ...groups().flatMap(({ title, settings }) => [
      '',
      `# ---- ${title} ----`,
      ...settings.flatMap(({ name, preset, values, what }) => [
        '',
        `# ${what}${values && ` (${values})`}`,
        `#${name}=${preset}`,
      ]),
    ]),
    '',
  ].join('\n')

const configurationPage = (): string =>
  [
    '# Configuration',
    '',
    'Made by `npm run docs` from `schemas/configuration.ts`.',
    '',
    'Every process reads its settings from the environment, then from `.env` in the directory that it is started in; an empty',
    'value counts as none. A value that is not allowed, an unknown name in `.env`, and a name in the environment that looks like',
    'a slip of one of these (`MAX_VCPUS`) are refused by name, and the process exits 78. AWS’s own variables (`AWS_PROFILE`,',
    '`AWS_ACCESS_KEY_ID`, ...) may stand in `.env` too.',
    ...groups().flatMap(({ title, settings }) => [
      '',
      `## ${title}`,
      '',
      '| name | default | values | what |',
      '| --- | --- | --- | --- |',
      ...settings.map(({ name, preset, values, what }) =>
        row(`\`${name}\``, preset && `\`${preset}\``, values, what),
      ),
    ]),
    '',
  ].join('\n')

const verdicts: Record<ExitVerdict, string> = {
  done: 'succeeds',
  fail: 'fails at once',
  retry: 'is tried again, counted as a failed attempt',
  infrastructure: 'is tried again, from the budget for infrastructure',
}

/** What stands in `report.code` of a record, and what the controller does about it. */
const workerErrorsPage = (): string =>
  [
    '# Errors of the worker',
    '',
    'Made by `npm run docs` from `worker/errors.ts`. The code stands in `report.code` of a job, the sentence with its details in',
    '`message`.',
    '',
    '| code | exit code | what happened | the job |',
    '| --- | --- | --- | --- |',
    ...Object.entries(errorCatalogue).map(([code, { exitCode, sentence }]) =>
      row(`\`${code}\``, String(exitCode), sentence, verdicts[judgeExitCode(exitCode)]),
    ),
    '',
  ].join('\n')

const row = (...cells: string[]): string =>
  `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
