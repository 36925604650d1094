import { z } from 'zod'
import { isUploadKind, type KindName, kindNames, kinds, uploadKinds } from './kinds/index.ts'
import { queueNamePattern, specBounds } from './limits.ts'

const jobSchema = z
  .strictObject({
    kind: z
      .string()
      .refine(isUploadKind, { error: `must be one of: ${uploadKinds.join(', ')}` })
      .describe('Kind of the job.'),
    params: z.record(z.string(), z.unknown()).optional().describe('Its parameters.'),
    queue: z.string().regex(queueNamePattern).optional().describe('The line it waits in.'),
    priority: z
      .number()
      .int()
      .min(specBounds.priority.min)
      .max(specBounds.priority.max)
      .optional()
      .describe('0 to 9.'),
    afterSuccess: z
      .enum(['keep', 'delete'])
      .optional()
      .describe('What becomes of the upload once the job has succeeded. Default: keep.'),
  })
  .superRefine(({ kind, params }, context) => {
    if (!isUploadKind(kind)) return
    const parsed = kinds[kind].params.safeParse(params ?? {})
    for (const issue of parsed.error?.issues ?? [])
      context.addIssue({ ...issue, path: ['params', ...issue.path] })
  })

const bytes = z.number().int().min(0).optional()

/** Kinds that work on all that another job has made; their input is its manifest. */
const readsManifests = ['torrent']

/** What has a manifest of its own that is worth a job. Never a kind that such a job is of: it would start itself for ever. */
export const outputKinds: readonly KindName[] = kindNames.filter(
  (name) => kinds[name].claims && !readsManifests.includes(name) && name !== 'seed',
)
const isOutputKind = (name: string): boolean => outputKinds.some((kind) => kind === name)

/** Which uploads become which jobs, and which outputs. */
export const triggerSchema = z
  .strictObject({
    bucket: z
      .enum(['uploads', 'outputs'], { error: 'must be uploads or outputs' })
      .optional()
      .describe(
        'outputs: of what jobs have made, once all of it is there; prefix is that of their manifest, and kinds says whose. Default: uploads.',
      ),
    kinds: z
      .array(z.string().refine(isOutputKind, { error: `must be one of: ${outputKinds.join(', ')}` }))
      .min(1)
      .max(20)
      .optional()
      .describe('Only with bucket outputs: the kinds of jobs whose outputs are meant.'),
    prefix: z.string().max(1024).default('').describe('What their keys begin with.'),
    suffix: z.string().max(64).default('').describe('What their keys end in, in any case.'),
    minBytes: bytes.describe('They are at least so large.'),
    maxBytes: bytes.describe('They are at most so large.'),
    jobs: z
      .array(jobSchema)
      .max(10)
      .refine((jobs) => jobs.length < 2 || jobs.every(({ afterSuccess }) => afterSuccess !== 'delete'), {
        error: 'must not delete the upload after one of several jobs: the others may still need it',
      })
      .refine((jobs) => new Set(jobs.map(({ kind }) => kind)).size === jobs.length, {
        error: 'must not name a kind twice: an upload has one job of each',
      })
      .describe('The jobs that each of them becomes. Empty: none.'),
  })
  .superRefine(({ bucket = 'uploads', kinds: ofKinds, suffix, minBytes, maxBytes, jobs }, context) => {
    const say = (path: (string | number)[], message: string) =>
      context.addIssue({ code: 'custom', path, message })
    if (bucket === 'uploads') {
      if (ofKinds !== undefined) say(['kinds'], 'must only stand in a rule with bucket outputs')
      if (minBytes !== undefined && maxBytes !== undefined && maxBytes < minBytes)
        say(['maxBytes'], `must not be below minBytes (${minBytes}): no upload would fit`)
      return
    }
    if (ofKinds === undefined) say(['kinds'], 'must name the kinds of jobs whose outputs are meant')
    for (const [name, value] of Object.entries({ suffix: suffix || undefined, minBytes, maxBytes }))
      if (value !== undefined) say([name], 'must not stand in a rule with bucket outputs')
    for (const [index, { kind, afterSuccess }] of jobs.entries()) {
      if (afterSuccess === 'delete')
        say(['jobs', index, 'afterSuccess'], 'must not be delete: only uploads are deleted')
      if (!readsManifests.includes(kind))
        say(['jobs', index, 'kind'], `must be ${readsManifests.join(' or ')} in a rule with bucket outputs`)
    }
  })
  .describe('A rule for uploads, or for the outputs of jobs.')
export type Trigger = z.infer<typeof triggerSchema>

export const triggersSchema = z.array(triggerSchema).max(50)

/** Whether a rule is about outputs: only then does that bucket tell of its objects. */
export const watchesOutputs = (triggers: readonly Trigger[]): boolean =>
  triggers.some(({ bucket }) => bucket === 'outputs')
