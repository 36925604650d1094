import { expect, test } from 'vitest'
import { z } from 'zod'
import { jobRecordSchema } from '../../schemas/job.ts'
import { kinds } from '../../schemas/kinds/index.ts'
import { manifestSchema } from '../../schemas/manifest.ts'
import { jobRequestSchema } from '../../schemas/message.ts'
import { transcodeMetadataSchema } from '../../schemas/metadata.ts'
import { scenesSchema } from '../../schemas/scenes.ts'
import { statusSchema } from '../../schemas/status.ts'
import { summarySchema } from '../../schemas/summary.ts'

type Node = { [key: string]: unknown }

/** Paths of all properties in a JSON Schema that say nothing about themselves. */
function undescribed(node: unknown, path = ''): string[] {
  if (typeof node !== 'object' || node === null) return []
  const { properties = {}, ...rest } = node as Node
  const own = Object.entries(properties as Record<string, Node>).flatMap(([name, property]) => [
    ...(typeof property.description === 'string' ? [] : [`${path}.${name}`]),
    ...undescribed(property, `${path}.${name}`),
  ])
  return [...own, ...Object.entries(rest).flatMap(([, inner]) => undescribed(inner, path))]
}

const schemas: Record<string, z.ZodType> = {
  job: jobRecordSchema,
  'job request': jobRequestSchema,
  manifest: manifestSchema,
  metadata: transcodeMetadataSchema,
  status: statusSchema,
  summary: summarySchema,
  scenes: scenesSchema,
  ...Object.fromEntries(
    Object.entries(kinds).flatMap(([name, { result }]) => (result ? [[`result of ${name}`, result]] : [])),
  ),
  ...Object.fromEntries(Object.entries(kinds).map(([name, kind]) => [`params of ${name}`, kind.params])),
}

test.each(Object.entries(schemas))('every field of %s is described', (_name, schema) => {
  expect(undescribed(z.toJSONSchema(schema, { io: 'input' }))).toEqual([])
})
