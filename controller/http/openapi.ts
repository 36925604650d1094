import swagger from '@fastify/swagger'
import type { FastifySchema } from 'fastify'
import { createJsonSchemaTransform, createJsonSchemaTransformObject } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { problemsOf } from '../../schemas/problems.ts'
import { ControllerError } from '../errors.ts'
import type { Api } from './api.ts'
import { namedSchemas } from './schemas.ts'

/** Zod schemas check what comes in and describe, in /openapi.json, what comes out. Before all routes. */
export function useSchemas(app: Api): void {
  app.setValidatorCompiler(({ schema, httpPart }) => checkerOf(schema, httpPart))
  // Answers are made here and typed; checking them again could only turn a damaged record into an error.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data))
  const registry = { schemaRegistry: namedSchemas }
  void app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'ECS Job Operator',
        description: 'Jobs on ECS Fargate: submit them, watch them, change them.',
        version: '1',
      },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
      security: [{}, { token: [] }],
    },
    transform: createJsonSchemaTransform(registry),
    transformObject: createJsonSchemaTransformObject(registry),
  })
}

type Checked = { value: unknown } | { error: Error }

function checkerOf(schema: unknown, httpPart: string | undefined): (value: unknown) => Checked {
  if (!(schema instanceof z.ZodType)) throw new Error(`The schema of ${httpPart} is not a zod schema`)
  return (value) => {
    const parsed = schema.safeParse(value)
    if (parsed.success) return { value: parsed.data }
    const problems = problemsOf(parsed.error, value)
    return { error: ControllerError.of('REQUEST_INVALID', {}, { problems }) }
  }
}

/** GET /openapi.json */
export function openapiRoute(app: Api): void {
  const schema: FastifySchema = { hide: true }
  app.get('/openapi.json', { schema }, async () => app.swagger())
}
