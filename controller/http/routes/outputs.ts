import { z } from 'zod'
import { fileRoles, type ManifestFile } from '../../../schemas/manifest.ts'
import { summaryOf } from '../../../schemas/problems.ts'
import { manifestName } from '../../../schemas/resources.ts'
import { ControllerError } from '../../errors.ts'
import type { Api } from '../api.ts'
import type { HttpPorts } from '../ports.ts'
import { readShown } from '../record.ts'
import { failures, jobParams, wholeParameter } from '../schemas.ts'
import type { Shown } from '../why.ts'

// A link costs about a millisecond of signing, in a process that has other things to do.
const outputLimits = { preset: 100, max: 500 }

const outputQuery = z.strictObject({
  role: z
    .enum(fileRoles, { error: `must be one of: ${fileRoles.join(', ')}` })
    .optional()
    .describe('Only files of this role.'),
  from: wholeParameter(0, 1_000_000_000).default(0).describe('`next` of the page before.'),
  limit: wholeParameter(1, outputLimits.max)
    .default(outputLimits.preset)
    .describe(`Files at the most, 1 to ${outputLimits.max}. Default ${outputLimits.preset}.`),
})

const outputAnswer = z.object({
  jobId: z.string(),
  bucket: z.string(),
  prefix: z.string().describe('Where all of them are.'),
  finishedAt: z.iso.datetime(),
  total: z
    .object({ files: z.number(), bytes: z.number() })
    .describe('Of the whole manifest, or of the role that was asked for.'),
  files: z
    .array(
      z.object({
        key: z.string(),
        name: z.string().describe('The key without the prefix.'),
        role: z.enum(fileRoles),
        contentType: z.string(),
        bytes: z.number(),
        sha256: z.string(),
        url: z.string().describe('A link to the file that works until expiresAt.'),
      }),
    )
    .describe('What people look for first comes first: master playlist, playlists, and segments last.'),
  expiresAt: z.iso.datetime(),
  next: z.number().optional().describe('Where the next page begins; absent on the last one.'),
})

type OutputPorts = Pick<HttpPorts, 'jobs' | 'objects' | 'buckets' | 'presignS' | 'clock'>

export function outputRoutes(app: Api, ports: OutputPorts): void {
  app.get(
    '/jobs/:id/outputs',
    {
      schema: {
        summary: 'What a job has published, with links',
        params: jobParams,
        querystring: outputQuery,
        response: { 200: outputAnswer, ...failures },
      },
    },
    async ({ params: { id }, query: { role, from, limit } }) => {
      const stored = await readShown(id, ports.jobs)
      const bucket = ports.buckets.outputs
      const prefix = stored.is === 'accepted' ? stored.job.settings.output : `results/${id}/`
      const manifest = await readManifest(
        id,
        publishersOf(id, stored),
        bucket,
        `${prefix}${manifestName}`,
        ports,
      )
      const files = sorted(manifest.files.filter((file) => role === undefined || file.role === role))
      const page = files.slice(from, from + limit)
      const { presignS } = ports
      return {
        jobId: id,
        bucket,
        prefix,
        finishedAt: manifest.finishedAt,
        total: { files: files.length, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) },
        files: await Promise.all(
          page.map(async (file) => ({
            ...file,
            name: file.key.startsWith(prefix) ? file.key.slice(prefix.length) : file.key,
            url: await ports.objects.presignGet(bucket, file.key, presignS),
          })),
        ),
        expiresAt: new Date(ports.clock.nowMs() + presignS * 1000).toISOString(),
        ...(from + limit < files.length ? { next: from + limit } : {}),
      }
    },
  )
}

/** A pipeline publishes nothing itself: its children do, under its prefix. */
const publishersOf = (jobId: string, stored: Shown): string[] => [
  jobId,
  ...(stored.is === 'accepted'
    ? (stored.job.pipeline?.steps.flatMap(({ children }) => children.map((child) => child.jobId)) ?? [])
    : []),
]

async function readManifest(
  jobId: string,
  publishers: readonly string[],
  bucket: string,
  key: string,
  { objects }: OutputPorts,
) {
  const read = await objects.manifest(bucket, key)
  switch (read.is) {
    case 'present':
      // The prefix may be shared by jobs of the same user; what another job published there is not ours.
      if (!publishers.includes(read.manifest.jobId)) throw ControllerError.of('OUTPUTS_NOT_FOUND', { jobId })
      return read.manifest
    case 'missing':
      throw ControllerError.of('OUTPUTS_NOT_FOUND', { jobId })
    case 'damaged':
      throw ControllerError.of('MANIFEST_DAMAGED', { key, detail: summaryOf(read.problems, 150) })
    default:
      throw read satisfies never
  }
}

const order: readonly ManifestFile['role'][] = ['master', 'poster', 'metadata', 'playlist', 'init', 'segment']

const sorted = (files: readonly ManifestFile[]): ManifestFile[] =>
  [...files].sort((a, b) => rankOf(a) - rankOf(b) || (a.key < b.key ? -1 : 1))

/** A role that this list does not know yet stands before the segments, of which there are many. */
const rankOf = ({ role }: ManifestFile): number => {
  const rank = order.indexOf(role)
  return rank < 0 ? order.indexOf('init') : rank
}
