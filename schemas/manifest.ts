import { z } from 'zod'

/** What a file is for. A reader of outputs looks for a role, never for a name. */
export const fileRoles = [
  'master',
  'playlist',
  'init',
  'segment',
  'poster',
  'thumbnail',
  'storyboard',
  'download',
  'metadata',
  'audio',
  'preview',
  'peaks',
  'waveform',
  'subtitles',
  'scenes',
  'picture',
  'summary',
  'page',
  'torrent',
  'magnet',
] as const
export type FileRole = (typeof fileRoles)[number]

const manifestFileSchema = z.strictObject({
  key: z.string().min(1).describe('Key in the outputs bucket.'),
  bytes: z.number().int().min(0).describe('Size.'),
  sha256: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .describe('SHA-256 of the content, lower-case hex.'),
  contentType: z.string().min(1).describe('Content type that it is served with.'),
  role: z.enum(fileRoles).describe('What the file is for.'),
  by: z
    .string()
    .optional()
    .describe('The job that has added the file to the outputs of this one. Absent: this job made it.'),
})
export type ManifestFile = z.infer<typeof manifestFileSchema>

/**
 * `manifest.json`: what an attempt has produced. It is written last, after everything in it has been uploaded, so what
 * stands in no manifest is not finished.
 */
export const manifestSchema = z
  .strictObject({
    schemaVersion: z.literal(1).describe('Form of this file.'),
    jobId: z.string().describe('The job.'),
    parent: z
      .string()
      .optional()
      .describe(
        '<jobId>/<uid> of the pipeline that the job is a step of; its steps are other jobs in every generation.',
      ),
    kind: z.string().describe('What the job does.'),
    fence: z.string().describe('uid/attempt/launch of the task that produced the files.'),
    finishedAt: z.iso.datetime().describe('When everything was uploaded.'),
    files: z.array(manifestFileSchema).describe('Every output but this file.'),
  })
  .describe('The outputs of a job.')
export type Manifest = z.infer<typeof manifestSchema>
