import { z } from 'zod'
import { objectAddressSchema } from './object-address.ts'

/** Beside every `.torrent`: what it says, and what it was made of, so that a `seed` job finds its data. */
export const torrentInfoName = 'torrent.json'

const url = z.string().max(1000, { error: 'must be at most 1000 characters' })

const parsed = (text: string): URL | undefined => (URL.canParse(text) ? new URL(text) : undefined)

const hasCredentials = ({ username, password }: URL): boolean => username !== '' || password !== ''

/** What stands in a torrent is what clients ask for; they tidy nothing up, as the parser above does. */
const isWrittenAsAsked = (text: string): boolean => /^[a-z]+:\/\/[!-[\]-~]+$/i.test(text)

const notWrittenAsAsked = {
  error: 'must be scheme://... and percent-encoded: no spaces, no backslash, ASCII only',
}

export const trackerSchema = url
  .refine((text) => ['http:', 'https:', 'udp:', 'wss:'].includes(parsed(text)?.protocol ?? ''), {
    error: 'must be the announce URL of a tracker: http, https, udp or wss',
  })
  .refine((text) => (parsed(text)?.hostname ?? 'x') !== '', { error: 'must name a host' })
  .refine(isWrittenAsAsked, notWrittenAsAsked)

/** Groups of trackers in the order in which clients try them (BEP 12); a tracker that stands alone is a tier of its own. */
export const trackersSchema = z
  .array(
    z.union([
      trackerSchema,
      z.array(trackerSchema).min(1).max(10, { error: 'must be at most 10 in a tier' }),
    ]),
  )
  .max(20, { error: 'must be at most 20' })

/** What presigned URLs of S3, CloudFront and others are known by, also when they were copied from the source of a page (&amp;). */
const signatures =
  /^(amp;)?(x-(amz|goog|ms|oss|obs|cos)-.*|(q-)?signature|sig|expires|policy|key-pair-id|(aws|oss)accesskeyid|googleaccessid|hdnea)$/i

const isPresigned = ({ searchParams }: URL): boolean =>
  [...searchParams.keys()].some((name) => signatures.test(name))

const webAddress = url
  .refine((text) => ['http:', 'https:'].includes(parsed(text)?.protocol ?? ''), {
    error: 'must be an http or https URL',
  })
  .refine((text) => !hasCredentials(parsed(text) ?? new URL('http://x')), {
    error: 'must have no user and password in it: everybody who gets the torrent reads them',
  })
  .refine((text) => !isPresigned(parsed(text) ?? new URL('http://x')), {
    error:
      'must not be a presigned URL: it expires, and a torrent is passed on for ever; name a public object or a CloudFront address that needs no signature',
  })
  .refine((text) => !text.includes('#'), { error: 'must have no #: clients do not send it' })

/** Where clients get the data by HTTP (BEP 19). */
export const webSeedSchema = webAddress.refine(isWrittenAsAsked, notWrittenAsAsked)

/** What the percent-encoded key is appended to. */
export const webSeedBaseSchema = webAddress
  .refine((text) => !text.includes('?'), { error: 'must have no query: the key is appended' })
  .refine((text) => text.endsWith('/'), { error: 'must end in /: the key is appended' })
  .refine(isWrittenAsAsked, notWrittenAsAsked)

export const torrentInfoSchema = z
  .object({
    schemaVersion: z.literal(1).describe('Form of this file.'),
    infohash: z
      .string()
      .regex(/^[0-9a-f]{40}$/)
      .describe('SHA-1 of the info dictionary, lower-case hex: what the torrent is called in the network.'),
    name: z.string().describe('Name of the file, or of the folder with the files.'),
    bytes: z.number().int().min(1).describe('Size of everything in it.'),
    files: z.number().int().min(1).describe('How many files are in it.'),
    pieceLength: z.number().int().describe('Bytes of a piece.'),
    pieces: z.number().int().describe('How many pieces there are.'),
    private: z.boolean().describe('Whether peers come from its trackers only.'),
    trackers: z.array(z.array(z.string())).describe('Announce URLs, by tier.'),
    webSeeds: z.array(z.string()).describe('Where clients get the data by HTTP.'),
    magnet: z.string().describe('The same as a link.'),
    source: objectAddressSchema
      .extend({ etag: z.string().optional(), versionId: z.string().optional() })
      .describe('What it was made of.'),
  })
  .describe('A torrent that was made.')
export type TorrentInfo = z.infer<typeof torrentInfoSchema>
