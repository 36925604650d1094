import { z } from 'zod'
import { S3Error } from './errors.ts'
import { element, parseXml, token } from './xml.ts'

export const corsRuleSchema = z.object({
  allowedOrigins: z.array(z.string()).min(1),
  allowedMethods: z.array(z.enum(['GET', 'PUT', 'HEAD', 'POST', 'DELETE'])).min(1),
  allowedHeaders: z.array(z.string()),
  exposeHeaders: z.array(z.string()),
  maxAgeSeconds: z.number().int().nonnegative().optional(),
})

export type CorsRule = z.infer<typeof corsRuleSchema>

export type CorsRequest = {
  origin: string
  method: string
  /** Header names the browser wants to send, in lower case; empty outside a preflight. */
  requestHeaders: string[]
}

/** The headers that a bucket's rules allow for a request; undefined when no rule fits. The first rule that fits counts. */
export function corsHeaders(
  rules: readonly CorsRule[],
  request: CorsRequest,
): Record<string, string> | undefined {
  const rule = rules.find((candidate) => fits(candidate, request))
  if (!rule) return undefined
  const anyOrigin = rule.allowedOrigins.includes('*')
  const headers: Record<string, string> = {
    'access-control-allow-origin': anyOrigin ? '*' : request.origin,
    'access-control-allow-methods': rule.allowedMethods.join(', '),
    vary: 'Origin, Access-Control-Request-Headers, Access-Control-Request-Method',
  }
  if (!anyOrigin) headers['access-control-allow-credentials'] = 'true'
  if (request.requestHeaders.length > 0)
    headers['access-control-allow-headers'] = request.requestHeaders.join(', ')
  if (rule.exposeHeaders.length > 0) headers['access-control-expose-headers'] = rule.exposeHeaders.join(', ')
  if (rule.maxAgeSeconds !== undefined) headers['access-control-max-age'] = String(rule.maxAgeSeconds)
  return headers
}

/** @throws MalformedXML, InvalidRequest */
export function parseCors(xml: string): CorsRule[] {
  const rules = parseXml(xml, 'CORSConfiguration', corsElement).CORSRule.map((rule) => ({
    allowedOrigins: rule.AllowedOrigin,
    allowedMethods: rule.AllowedMethod,
    allowedHeaders: rule.AllowedHeader,
    exposeHeaders: rule.ExposeHeader,
    maxAgeSeconds: rule.MaxAgeSeconds,
  }))
  const parsed = z.array(corsRuleSchema).safeParse(rules)
  if (parsed.success) return parsed.data
  const method = rules.flatMap(({ allowedMethods }) => allowedMethods).find((name) => !CORS_METHODS.has(name))
  if (method === undefined) throw new S3Error('MalformedXML')
  throw new S3Error(
    'InvalidRequest',
    `Found unsupported HTTP method in CORS config. Unsupported method is ${method}`,
  )
}

/** The content of a `CORSConfiguration` element. */
export function renderCors(rules: readonly CorsRule[]): object {
  return {
    CORSRule: rules.map((rule) => ({
      AllowedOrigin: rule.allowedOrigins,
      AllowedMethod: rule.allowedMethods,
      AllowedHeader: rule.allowedHeaders,
      ExposeHeader: rule.exposeHeaders,
      MaxAgeSeconds: rule.maxAgeSeconds,
    })),
  }
}

const CORS_METHODS: ReadonlySet<string> = new Set(corsRuleSchema.shape.allowedMethods.element.options)

const corsElement = element({
  CORSRule: z
    .array(
      element({
        AllowedOrigin: z.array(token).default([]),
        AllowedMethod: z.array(token).default([]),
        AllowedHeader: z.array(token).default([]),
        ExposeHeader: z.array(token).default([]),
        MaxAgeSeconds: token.transform(Number).optional(),
      }),
    )
    .min(1)
    .max(100),
})

function fits(rule: CorsRule, request: CorsRequest): boolean {
  return (
    rule.allowedMethods.some((method) => method === request.method) &&
    rule.allowedOrigins.some((pattern) => matches(pattern, request.origin)) &&
    request.requestHeaders.every((name) =>
      rule.allowedHeaders.some((pattern) => matches(pattern.toLowerCase(), name)),
    )
  )
}

/** A pattern has at most one `*`, which stands for any text. */
function matches(pattern: string, text: string): boolean {
  const [start = '', end] = pattern.split('*')
  if (end === undefined) return pattern === text
  return text.length >= start.length + end.length && text.startsWith(start) && text.endsWith(end)
}
