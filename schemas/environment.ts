import { z } from 'zod'
import { privateSourcesSchema } from './private-sources.ts'

/**
 * The contract between controller and worker: what a task finds in its environment. It stays short, because RunTask
 * refuses overrides above 8,192 characters; the worker reads the rest from the record.
 */
export const taskEnvironmentSchema = z.object({
  JOB_ID: z.string().min(1).describe('The job this task works for.'),
  FENCE: z
    .string()
    .min(1)
    .describe('uid/attempt/launch: the claim, progress and report of this task carry it.'),
  JOBS_TABLE: z.string().min(1).describe('Table that holds the record.'),
  OUTPUTS_BUCKET: z.string().min(1).describe('Bucket that outputs go to.'),
  S3_BUCKET: z
    .string()
    .optional()
    .describe('Bucket of the input, for simple containers; our worker reads the record.'),
  S3_KEY: z.string().optional().describe('Key of the input, likewise.'),
  AWS_REGION: z.string().min(1).describe('Region of table and buckets.'),
  AWS_ENDPOINT_URL: z.url().optional().describe('Where AWS is; absent on AWS.'),
  ECS_CONTAINER_METADATA_URI_V4: z
    .url()
    .optional()
    .describe('Set by ECS: where the task learns its own ARN.'),
  PRIVATE_SOURCES: privateSourcesSchema.describe(
    'Addresses that are not public and may be reached all the same, as the operator decided.',
  ),
  SEEDING_PORT: z.coerce
    .number()
    .int()
    .min(0)
    .max(65_535)
    .default(0)
    .describe('Port that peers reach a seeding task by; 0: any free one.'),
  WORK_DIR: z.string().min(1).default('/tmp').describe('Scratch folder.'),
  FFMPEG_PATH: z
    .string()
    .min(1)
    .optional()
    .describe('The ffmpeg to use; absent: PATH, then the npm package.'),
  FFPROBE_PATH: z
    .string()
    .min(1)
    .optional()
    .describe('The ffprobe to use; absent: PATH, then the npm package.'),
  PATH: z.string().default('/usr/local/bin:/usr/bin:/bin').describe('Where programs are.'),
})
