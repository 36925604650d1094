import { z } from 'zod'
import { S3Error } from './errors.ts'
import { element, parseXml } from './xml.ts'

/** Reads `x-amz-tagging`, which has the form of a query. @throws InvalidTag, InvalidArgument */
export function parseTagHeader(header: string | undefined): Record<string, string> {
  return checkedTags([...new URLSearchParams(header ?? '')])
}

/** Reads a `Tagging` body. @throws MalformedXML, InvalidTag, InvalidArgument */
export function parseTagXml(xml: string): Record<string, string> {
  const { TagSet } = parseXml(xml, 'Tagging', taggingElement)
  return checkedTags(TagSet.Tag.map(({ Key, Value }) => [Key, Value]))
}

/** The content of a `Tagging` element. */
export function renderTags(tags: Record<string, string>): object {
  return { TagSet: { Tag: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })) } }
}

const MAX_TAGS = 10
const MAX_TAG_KEY = 128
const MAX_TAG_VALUE = 256

const taggingElement = element({
  TagSet: element({ Tag: z.array(element({ Key: z.string(), Value: z.string() })).default([]) }),
})

function checkedTags(tags: readonly (readonly [key: string, value: string])[]): Record<string, string> {
  if (tags.length > MAX_TAGS)
    throw new S3Error('InvalidTag', `Object tags cannot be greater than ${MAX_TAGS}`)
  for (const [key, value] of tags) {
    if (key.length === 0 || key.length > MAX_TAG_KEY) {
      throw new S3Error('InvalidTag', 'The TagKey you have provided is invalid')
    }
    if (value.length > MAX_TAG_VALUE) {
      throw new S3Error('InvalidTag', 'The TagValue you have provided is invalid')
    }
  }
  if (new Set(tags.map(([key]) => key)).size < tags.length) {
    throw new S3Error('InvalidTag', 'Cannot provide multiple Tags with the same key')
  }
  return Object.fromEntries(tags)
}
