import { z } from 'zod'
import { trackersSchema, webSeedBaseSchema, webSeedSchema } from '../torrent.ts'
import type { Kind } from './kind.ts'

const isPowerOfTwo = (value: number): boolean => Number.isInteger(Math.log2(value))

export const torrentParamsSchema = z
  .strictObject({
    trackers: trackersSchema
      .default([])
      .describe(
        'Announce URLs (http, https, udp, wss), in the order in which they are tried; or a list of lists, as tiers. Percent-encoded. None: peers find each other by DHT or web seed only.',
      ),
    webSeeds: z
      .array(webSeedSchema)
      .max(20, { error: 'must be at most 20' })
      .default([])
      .describe(
        'Addresses of the data itself (BEP 19): a public object, or CloudFront. Percent-encoded, never presigned. For a recording they end in / and its folder follows.',
      ),
    webSeedBase: webSeedBaseSchema
      .optional()
      .describe(
        'What the percent-encoded key is appended to for one more web seed, so that a rule can say it for every object: https://cdn.example.com/. It is percent-encoded itself.',
      ),
    checkWebSeeds: z
      .boolean()
      .default(false)
      .describe(
        'true: each web seed is asked for a byte, and one that does not answer as clients need it is a warning. Needs the internet.',
      ),
    private: z
      .boolean()
      .default(false)
      .describe('true: clients ask the trackers for peers and nobody else (BEP 27).'),
    pieceLength: z
      .number()
      .int()
      .min(16_384)
      .max(16_777_216)
      .refine(isPowerOfTwo, { error: 'must be a power of two' })
      .optional()
      .describe(
        'Bytes of a piece, a power of two from 16384 to 16777216. Absent: the smallest from 262144 up with at most 2000 pieces.',
      ),
    comment: z.string().min(1).max(500).optional().describe('For people, at most 500 characters.'),
    createdBy: z
      .string()
      .min(1)
      .max(100)
      .default('ECS Job Operator')
      .describe('What the torrent says that it was made by.'),
  })
  .refine(
    ({ private: isPrivate, trackers, webSeeds, webSeedBase }) =>
      !isPrivate || trackers.length + webSeeds.length > 0 || webSeedBase !== undefined,
    {
      path: ['private'],
      error: 'must come with trackers or a web seed: nobody else tells of a private torrent',
    },
  )
  .describe('Parameters of a torrent job.')

export type TorrentParams = z.infer<typeof torrentParamsSchema>

/**
 * A hash cannot be put down, so one attempt has to read all of it: 8 TB, the most that its pieces can be, at 50 MB/s. A reading
 * that stands still does not last that long, since heartbeat and watchdog end it.
 */
const wholeTakesS = 48 * 3600

export const torrent: Kind = {
  title: 'A .torrent for an object of any size, or for all files of a recording',
  params: torrentParamsSchema,
  input: 'object',
  claims: true,
  group: 'media',
  uploadSuffixes: [],
  // One hash after another is one core; the network of a smaller task would be slower than that.
  resources: { cpu: 1024, memory: 2048 },
  takesS: () => wholeTakesS,
}
