import { XMLBuilder, XMLParser, XMLValidator } from 'fast-xml-parser'
import { z } from 'zod'
import { S3Error } from './errors.ts'

const S3_NAMESPACE = 'http://s3.amazonaws.com/doc/2006-03-01/'

/**
 * Renders an answer with one root element. Lists become repeated elements, undefined members are left out.
 * Errors alone are in no namespace.
 */
export function renderXml(root: string, content: object, namespace: string | null = S3_NAMESPACE): string {
  const document = builder.build({
    '?xml': { '@_version': '1.0', '@_encoding': 'UTF-8' },
    [root]: namespace === null ? content : { '@_xmlns': namespace, ...content },
  })
  // A raw carriage return would reach the reader as a line feed, and other control characters are no XML at all:
  // S3 writes them as character references. The markup itself has none, so the whole document can be treated at once.
  return document.replace(CONTROL_CHARACTERS, (character) => `&#x${character.charCodeAt(0).toString(16)};`)
}

/**
 * Parses a request body whose root element is `root`.
 * @throws MalformedXML when it is not well-formed or does not fit the schema.
 */
export function parseXml<T>(text: string, root: string, schema: z.ZodType<T>): T {
  if (XMLValidator.validate(text) !== true || text.includes('<!DOCTYPE') || losesCharacters(text)) {
    throw new S3Error('MalformedXML')
  }
  const parsed = z.record(z.string(), z.unknown()).safeParse(parse(text))
  const content = parsed.success ? schema.safeParse(parsed.data[root]) : parsed
  if (!content.success) throw new S3Error('MalformedXML')
  return content.data as T
}

/** An element with members. An empty one arrives from the parser as text. */
export function element<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.preprocess((value) => (isBlank(value) ? {} : value), z.object(shape))
}

/** A value such as a number or a flag, where surrounding white space means nothing. Keys are never trimmed. */
export const token = z.string().trim()

export const flag = token.optional().transform((text) => text?.toLowerCase() === 'true')

const CONTROL_CHARACTERS = /(?![\t\n])\p{Cc}/gu

const builder = new XMLBuilder({ ignoreAttributes: false })

const parser = new XMLParser({
  ignoreAttributes: true,
  ignoreDeclaration: true,
  removeNSPrefix: true,
  parseTagValue: false,
  trimValues: false,
  // Without this, character references such as `&#13;` would stay as they are.
  htmlEntities: true,
  isArray: (name) => REPEATED.has(name),
})

const REPEATED = new Set([
  'AllowedHeader',
  'AllowedMethod',
  'AllowedOrigin',
  'CORSRule',
  'Event',
  'ExposeHeader',
  'FilterRule',
  'Object',
  'Part',
  'QueueConfiguration',
  'Tag',
])

function parse(text: string): unknown {
  try {
    return parser.parse(text)
  } catch {
    throw new S3Error('MalformedXML')
  }
}

/**
 * The parser drops references to control characters, which XML 1.0 forbids. A key with one of them must not become
 * another key: deleting that one would be wrong.
 */
function losesCharacters(text: string): boolean {
  return [...text.matchAll(/&#(?:x([0-9a-f]+)|([0-9]+));/gi)].some(([, hex, decimal]) => {
    const codePoint = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
    return codePoint < 0x20 && codePoint !== 0x09 && codePoint !== 0x0a && codePoint !== 0x0d
  })
}

function isBlank(value: unknown): boolean {
  return typeof value === 'string' && value.trim() === ''
}
