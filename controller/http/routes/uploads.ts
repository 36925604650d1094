import { z } from 'zod'
import { ControllerError } from '../../errors.ts'
import { uploadCommands, withHead } from '../../intake/uploads.ts'
import type { Api } from '../api.ts'
import type { HttpPorts } from '../ports.ts'
import { failures } from '../schemas.ts'
import { uploadProblems } from '../upload-problems.ts'
import { submitAndWake } from './jobs.ts'

const uploadBody = z.strictObject({
  filename: z
    .string({ error: 'must be the name of a file' })
    .min(1, { error: 'must not be empty' })
    .refine((name) => Buffer.byteLength(name) <= 255, { error: 'must be at most 255 bytes' })
    .refine((name) => !/[/\\\p{Cc}]/u.test(name) && name !== '.' && name !== '..', {
      error: 'must be a plain name without folders',
    })
    .describe('Its name, without folders, at most 255 bytes. The job is named after it.'),
  kind: z.string().max(32).optional().describe('What to do with it. Default: what uploads like it become.'),
  contentType: z
    .string()
    .max(128)
    .regex(/^[\w.+-]+\/[\w.+-]+$/, { error: 'must be a media type like video/mp4' })
    .optional()
    .describe('Its media type.'),
  bytes: z
    .number({ error: 'must be a whole number' })
    .int({ error: 'must be a whole number' })
    .min(0, { error: 'must not be below 0' })
    .optional()
    .describe(
      'Its size. With it, a file that S3 does not take in one PUT (more than 5 GiB) is refused here, and rules about sizes count.',
    ),
})

const uploadAnswer = z.object({
  uploadId: z.string().describe('For POST /uploads/:id/confirm.'),
  key: z.string().describe('Where it goes in the uploads bucket.'),
  url: z.string().describe('PUT the file here, before expiresAt.'),
  headers: z.record(z.string(), z.string()).describe('Headers to send with it.'),
  expiresAt: z.iso.datetime(),
})

const confirmParams = z.strictObject({ id: z.string().max(1400).describe('uploadId of POST /uploads.') })

const confirmAnswer = z.object({
  jobId: z.string().describe('The job that the upload became; the first, where it became several.'),
  jobIds: z.array(z.string()).describe('All of them.'),
  created: z.boolean().describe('false: it was there already, made by the event of the upload.'),
})

type UploadPorts = Pick<
  HttpPorts,
  | 'jobs'
  | 'objects'
  | 'buckets'
  | 'presignS'
  | 'uploadRules'
  | 'policy'
  | 'randomId'
  | 'clock'
  | 'wake'
  | 'log'
>

export function uploadRoutes(app: Api, ports: UploadPorts): void {
  app.post(
    '/uploads',
    {
      schema: {
        summary: 'Get a link to upload a file to',
        body: uploadBody,
        response: { 201: uploadAnswer, ...failures },
      },
    },
    async ({ body: { filename, kind, contentType, bytes } }, reply) => {
      const bucket = ports.buckets.uploads
      const key = `${kind === undefined ? '' : `${kind}/`}${ports.randomId()}/${filename}`
      const asked = { bucket, key, filename, kind, bytes }
      const problems = uploadProblems(asked, ports.uploadRules, ports.policy)
      if (problems.length > 0) throw ControllerError.of('REQUEST_INVALID', {}, { problems })
      return reply.code(201).send({
        uploadId: Buffer.from(key).toString('base64url'),
        key,
        url: await ports.objects.presignPut(bucket, key, ports.presignS),
        headers: contentType === undefined ? {} : { 'content-type': contentType },
        expiresAt: new Date(ports.clock.nowMs() + ports.presignS * 1000).toISOString(),
      })
    },
  )

  app.post(
    '/uploads/:id/confirm',
    {
      schema: {
        summary: 'Say that a file has been uploaded, and get its job',
        params: confirmParams,
        response: { 200: confirmAnswer, 201: confirmAnswer, ...failures },
      },
    },
    async ({ params: { id } }, reply) => {
      const bucket = ports.buckets.uploads
      const key = keyOf(id)
      const head = await ports.objects.head(bucket, key)
      if (head.is === 'missing') throw ControllerError.of('UPLOAD_MISSING', {})
      const { etag, versionId, bytes, metadata } = head
      // The same command as from the event of this upload, so whichever comes first makes the record and the other meets it.
      const upload = { bucket, key, etag, versionId, sequencer: undefined, bytes }
      const commands = uploadCommands(upload, ports.uploadRules).filter((command) => command.do === 'submit')
      const [jobId] = commands.map((command) => command.jobId)
      if (jobId === undefined) throw ControllerError.of('UPLOAD_WITHOUT_JOB', { key })
      const made = []
      for (const command of commands)
        made.push(await submitAndWake(withHead(command, { metadata, bytes }), ports))
      const created = made.some((one) => one.created)
      return reply
        .code(created ? 201 : 200)
        .header('location', `/jobs/${jobId}`)
        .send({
          jobId,
          jobIds: commands.map((command) => command.jobId),
          created,
        })
    },
  )
}

/** Only keys as POST /uploads makes them: [kind/]random/filename. */
const keyPattern = /^(?:[a-z][a-z0-9-]{0,31}\/)?[a-z0-9]{12,}\/[^/]+$/

function keyOf(uploadId: string): string {
  const key = Buffer.from(uploadId, 'base64url').toString()
  if (Buffer.from(key).toString('base64url') !== uploadId || !keyPattern.test(key))
    throw unknownUpload(uploadId)
  return key
}

const unknownUpload = (uploadId: string): ControllerError =>
  ControllerError.of(
    'REQUEST_INVALID',
    {},
    {
      problems: [
        { field: 'id', value: uploadId.slice(0, 100), rule: 'must be an uploadId as POST /uploads gave it' },
      ],
    },
  )
