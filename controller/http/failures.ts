import type { Socket } from 'node:net'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Problem } from '../../schemas/problems.ts'
import { maskSecrets } from '../../schemas/problems.ts'
import { ControllerError } from '../errors.ts'

/** The one form that everything takes which is not what was asked for. */
export const failureSchema = z
  .object({
    code: z.string().describe('Stable; all of them are in docs/errors.md.'),
    message: z.string().describe('What happened and what to do, in sentences.'),
    problems: z
      .array(z.object({ field: z.string(), value: z.string(), rule: z.string() }))
      .optional()
      .describe('Every field that is wrong, with its value (cut, secrets masked) and its rule.'),
  })
  .describe('Why a request was refused or failed.')

export type Failure = z.infer<typeof failureSchema>

export const failureOf = ({ code, message, whatToDo, problems }: ControllerError): Failure => ({
  code,
  message: `${message} ${whatToDo}`,
  ...(problems ? { problems: problems.map((problem: Problem) => ({ ...problem })) } : {}),
})

/** Answers every error, whoever threw it. What is our fault or that of AWS is logged with its details. */
export function answerError(
  bodyLimit: number,
): (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => void {
  return (thrown, request, reply) => {
    const error = asControllerError(thrown, request, bodyLimit)
    if (error.status >= 500) {
      const { method, routeOptions } = request
      request.log.error({ err: thrown, code: error.code, method, route: routeOptions.url }, error.message)
    }
    if (error.status === 401) reply.header('www-authenticate', 'Bearer')
    if (error.code === 'AWS_UNAVAILABLE') reply.header('retry-after', '1')
    void reply.code(error.status).type('application/json; charset=utf-8').send(failureOf(error))
  }
}

export const answerNotFound = (request: FastifyRequest): never => {
  throw ControllerError.of('ENDPOINT_NOT_FOUND', {
    method: request.method,
    path: request.url.split('?')[0] ?? '',
  })
}

const statusTexts: Readonly<Record<string, string>> = {
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
}

/** Answers what is not HTTP, or comes too slowly: there is no request yet, only a connection. */
export function answerBrokenHttp(error: Error & { code?: string | undefined }, socket: Socket): void {
  const { code = 'unknown' } = error
  if (code === 'ECONNRESET' || socket.destroyed) return
  const body = JSON.stringify(failureOf(ControllerError.of('REQUEST_MALFORMED', { detail: code })))
  if (socket.writable)
    socket.write(
      `HTTP/1.1 ${statusTexts[code] ?? '400 Bad Request'}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
        `content-type: application/json; charset=utf-8\r\nconnection: close\r\n\r\n${body}`,
    )
  socket.destroy(error)
}

function asControllerError(error: FastifyError, request: FastifyRequest, bodyLimit: number): ControllerError {
  if (error instanceof ControllerError) return error
  switch (error.code) {
    case 'FST_ERR_CTP_BODY_TOO_LARGE':
      return ControllerError.of('BODY_TOO_LARGE', { limit: bodyLimit }, { cause: error })
    case 'FST_ERR_CTP_INVALID_MEDIA_TYPE':
    case 'FST_ERR_CTP_INVALID_TYPE':
      return ControllerError.of('BODY_NOT_JSON', {}, { cause: error })
    case 'FST_ERR_CTP_INVALID_JSON_BODY':
      return ControllerError.of('BODY_INVALID', { detail: error.message }, { cause: error })
    default:
  }
  if (isAwsError(error))
    return ControllerError.of('AWS_UNAVAILABLE', { detail: awsDetail(error) }, { cause: error })
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500)
    return ControllerError.of('REQUEST_MALFORMED', { detail: withoutEnd(error.message) }, { cause: error })
  return ControllerError.of('INTERNAL_ERROR', { requestId: request.id }, { cause: error })
}

/** The SDK puts this on what a service answered and on what kept it from answering. */
const isAwsError = (error: object): boolean => '$metadata' in error || '$response' in error

/** The name says enough; messages of AWS may hold ARNs, and an unreachable host brings the cause as its code. */
const awsDetail = (error: Error & { code?: string | undefined }): string =>
  maskSecrets([error.name, error.code].filter((part) => part !== undefined && part !== 'Error').join(' '))

const withoutEnd = (text: string): string => text.replace(/[.\s]+$/, '')
