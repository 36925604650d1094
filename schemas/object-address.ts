import { z } from 'zod'

/** Where a step finds what an earlier one has made. */
export const objectAddressSchema = z
  .strictObject({
    bucket: z
      .string()
      .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, { error: 'must be an S3 bucket name' })
      .describe('Bucket.'),
    key: z
      .string()
      .min(1, { error: 'must not be empty' })
      .refine((key) => Buffer.byteLength(key) <= 1024, { error: 'must be at most 1024 bytes' })
      .describe('Key, at most 1024 bytes.'),
  })
  .describe('An S3 object.')
export type ObjectAddress = z.infer<typeof objectAddressSchema>

/** A prefix in the outputs bucket, by the rules of `spec.output`. */
export const outputPrefixSchema = z
  .string()
  .max(512)
  .regex(/^(?!\/)(?!.*\/\/)(?!(.*\/)?\.\.?\/).+\/$/, {
    error: 'must be a key prefix that ends in / and does not start with it',
  })

/** A language as Transcribe names it: en-US, ja-JP, es. */
export const languageSchema = z
  .string()
  .regex(/^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$/, { error: 'must be a language code like en-US' })

/** Something that was odd but did not stop the work. */
export const warningSchema = z.strictObject({
  code: z.string().describe('For programs.'),
  message: z.string().describe('For people.'),
})
export type Warning = z.infer<typeof warningSchema>
