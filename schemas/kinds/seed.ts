import { z } from 'zod'
import { objectAddressSchema } from '../object-address.ts'
import type { Kind } from './kind.ts'

const hourS = 3600
const dayS = 24 * hourS
/** What an attempt takes besides: up to 200 GiB to bring and to verify. */
const marginS = 2 * hourS

export const seedParamsSchema = z
  .strictObject({
    duration: z
      .number()
      .int()
      .min(1)
      .max(6 * dayS)
      .default(4 * hourS)
      .describe(
        'For how long it seeds, after the data was brought and verified. Seconds, 1 to 518400 (6 days). Default 4 hours.',
      ),
    ratio: z
      .number()
      .min(0.1)
      .max(1000)
      .optional()
      .describe(
        'Ends earlier once it has given so many times its size, 0.1 to 1000. Absent: only the duration counts.',
      ),
    maxUploadBytes: z
      .number()
      .int()
      .min(1_000_000)
      .max(100_000_000_000_000)
      .default(100_000_000_000)
      .describe(
        'Ends earlier once it has given so many bytes, because traffic out of AWS is paid for. Default 100 GB.',
      ),
    maxRateKBps: z
      .number()
      .int()
      .min(10)
      .max(1_000_000)
      .optional()
      .describe(
        'At most so many kB (1000 bytes) a second, all peers together, 10 to 1000000. Absent: as fast as it can.',
      ),
    data: objectAddressSchema
      .optional()
      .describe(
        'The object that the torrent was made of; of several files, the manifest.json beside them. Absent: what the torrent.json beside the torrent says, as a torrent job writes it.',
      ),
  })
  .describe('Parameters of a seed job.')

export type SeedParams = z.infer<typeof seedParamsSchema>

export const seed: Kind = {
  title: 'Seeds a torrent for a time or to a ratio',
  params: seedParamsSchema,
  input: 'object',
  claims: true,
  group: 'seeding',
  uploadSuffixes: [],
  resources: { cpu: 512, memory: 1024 },
  takesS: (params) => seedParamsSchema.parse(params).duration + marginS,
}
