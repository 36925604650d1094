import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Logger } from 'pino'
import { type Answer, refusal, unknownOperation } from './answer.ts'
import { parseJson, readBody } from './bodies.ts'

/** What stands behind the one port. */
export type Services = {
  dynamodb: { handle(request: IncomingMessage, body: Buffer, response: ServerResponse): void }
  sqs: { call(action: string, input: unknown, host: string, isGone: () => boolean): Promise<Answer> }
  ecs: {
    call(action: string, input: unknown): Promise<Answer>
    /** The task metadata endpoint: `/v4/...`, asked by tasks. */
    metadata(path: string): Answer
    /** Faults and looks inside: `/_local/...`, asked by tests and people. */
    control(method: string, path: string, input: unknown): Answer
  }
  ecr: { call(action: string, input: unknown): Promise<Answer> }
  logs: { call(action: string, input: unknown): Promise<Answer> }
  transcribe: {
    call(action: string, input: unknown): Promise<Answer>
    /** Faults and looks inside: `/_local/transcribe/...`. */
    control(method: string, path: string, input: unknown): Answer
  }
  s3: { handle(request: IncomingMessage, response: ServerResponse): Promise<void> | void }
}

export type Gateway<S extends Services> = {
  /** `http://127.0.0.1:<port>`, for SDK and CLI. */
  endpoint: string
  services: S
  /** Takes no more requests; what is under way may finish for a moment, then it is broken off. */
  close(): Promise<void>
}

/**
 * One port on loopback for every service: told apart by `X-Amz-Target`, then by path; what is left is S3. The port listens
 * first, because services need its number; requests wait until `open` has made them.
 * @param port 0: any free one
 * @throws the error of `listen`, for example EADDRINUSE, or that of `open`
 */
export const startGateway = async <S extends Services>(
  port: number,
  open: (endpoint: string) => Promise<S>,
  log: Logger,
): Promise<Gateway<S>> => {
  const { promise: opened, resolve } = deferred<S>()
  let isClosing = false
  const server = createServer(async (request, response) => {
    try {
      const services = await opened
      if (isClosing) sendJson(response, refusal('ServiceUnavailable', 'The local AWS is ending.', 503))
      else await route(services, request, response)
    } catch (error) {
      // A caller that broke off is its own affair.
      if (request.destroyed || response.destroyed) return
      log.error({ err: error, method: request.method, url: request.url }, 'request failed')
      if (response.headersSent) response.destroy()
      else sendJson(response, refusal('InternalFailure', 'The log of the local AWS says why.', 500))
    }
  })
  // Large uploads take longer than the five minutes that Node allows a request.
  server.requestTimeout = 0
  // Clients keep connections, and one that is closed the moment it is used again looks like a lost reply.
  server.keepAliveTimeout = 60_000
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const close = async () => {
    isClosing = true
    const closed = once(server, 'close')
    server.close()
    server.closeIdleConnections()
    const late = setTimeout(() => server.closeAllConnections(), finishMs)
    await closed
    clearTimeout(late)
  }
  try {
    const services = await open(endpoint)
    resolve(services)
    return { endpoint, services, close }
  } catch (error) {
    server.closeAllConnections()
    await close()
    throw error
  }
}

const finishMs = 1_000

const deferred = <T>() => {
  let resolve: (value: T) => void = () => undefined
  const promise = new Promise<T>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

const route = async (services: Services, request: IncomingMessage, response: ServerResponse) => {
  const { method = 'GET', url = '/', headers } = request
  const target = headers['x-amz-target']
  const isForS3 = target === undefined && !/^\/(_local|v4)\//.test(url) && !isQueryProtocol(request)
  if (!isLoopbackName(headers.host) || (headers.origin !== undefined && !isForS3))
    return sendJson(response, notForWebPages)
  if (isForS3) return services.s3.handle(request, response)
  if (typeof target === 'string' && method === 'POST') return byTarget(services, target, request, response)
  if (url === '/_local/health') return sendJson(response, { status: 200, body: { status: 'ok' } })
  if (url.startsWith('/_local/')) return control(services, request, response)
  if (url.startsWith('/v4/')) return sendJson(response, services.ecs.metadata(url))
  return sendJson(response, unknownOperation('services of that protocol'))
}

/**
 * A task definition runs any command, so a web page must not get further than S3. A browser says `Origin` with everything
 * but plain reads; and a page whose own name was pointed at loopback still shows that name as `Host`.
 */
const isLoopbackName = (host = ''): boolean => {
  const name = host.replace(/:\d+$/, '').toLowerCase()
  return name === '127.0.0.1' || name === 'localhost' || name.endsWith('.localhost')
}

const notForWebPages = refusal(
  'AccessDeniedException',
  'The local AWS answers on 127.0.0.1 and localhost only, and of web pages only those that use S3.',
  403,
)

/** STS, SNS, IAM and others send forms to `/`; S3 never does. */
const isQueryProtocol = ({ method, url, headers }: IncomingMessage): boolean =>
  method === 'POST' &&
  url === '/' &&
  (headers['content-type'] ?? '').startsWith('application/x-www-form-urlencoded')

const mebibyte = 1024 * 1024

/** How much each protocol reads: more than its service allows, so that the refusal of the service is what callers see. */
const protocols = {
  // 25 items of 400 KB; base64 and JSON make them longer.
  DynamoDB_20120810: { maxBytes: 16 * mebibyte, version: '1.0' },
  // 1 MiB of messages, each character of which may be escaped.
  AmazonSQS: { maxBytes: 8 * mebibyte, version: '1.0' },
  AmazonEC2ContainerServiceV20141113: { maxBytes: mebibyte, version: '1.1' },
  // Manifests of images have at most 4 MiB, and are escaped.
  AmazonEC2ContainerRegistry_V20150921: { maxBytes: 8 * mebibyte, version: '1.1' },
  Logs_20140328: { maxBytes: mebibyte, version: '1.1' },
  Transcribe: { maxBytes: mebibyte, version: '1.1' },
} as const

const isProtocol = (prefix: string): prefix is keyof typeof protocols => Object.hasOwn(protocols, prefix)

const byTarget = async (
  services: Services,
  target: string,
  request: IncomingMessage,
  response: ServerResponse,
) => {
  const [prefix = '', action = ''] = target.split('.')
  if (!isProtocol(prefix)) return sendJson(response, unknownOperation(target), '1.1')
  const { maxBytes, version } = protocols[prefix]
  const body = await readBody(request, maxBytes)
  if (body === undefined) return sendJson(response, tooLarge(maxBytes), version)
  // dynalite reads and writes for itself.
  if (prefix === 'DynamoDB_20120810') return services.dynamodb.handle(request, body, response)
  const input = parseJson(body)
  if (input === undefined) return sendJson(response, notJson, version)
  switch (prefix) {
    case 'AmazonSQS': {
      const host = request.headers.host ?? ''
      return sendJson(
        response,
        await services.sqs.call(action, input, host, () => response.destroyed),
        version,
      )
    }
    case 'AmazonEC2ContainerServiceV20141113':
      return sendJson(response, await services.ecs.call(action, input), version)
    case 'AmazonEC2ContainerRegistry_V20150921':
      return sendJson(response, await services.ecr.call(action, input), version)
    case 'Logs_20140328':
      return sendJson(response, await services.logs.call(action, input), version)
    case 'Transcribe':
      return sendJson(response, await services.transcribe.call(action, input), version)
    default:
      prefix satisfies never
  }
}

const control = async ({ ecs, transcribe }: Services, request: IncomingMessage, response: ServerResponse) => {
  const body = await readBody(request, mebibyte)
  if (body === undefined) return sendJson(response, tooLarge(mebibyte))
  const input = parseJson(body)
  if (input === undefined) return sendJson(response, notJson)
  const path = (request.url ?? '').slice('/_local'.length)
  const method = request.method ?? 'GET'
  if (path.startsWith('/transcribe/'))
    return sendJson(response, transcribe.control(method, path.slice('/transcribe'.length), input))
  sendJson(response, ecs.control(method, path, input))
}

const tooLarge = (maxBytes: number): Answer =>
  refusal('RequestEntityTooLargeException', `The body must be at most ${maxBytes} bytes.`, 413)

const notJson = refusal('SerializationException', 'The body must be JSON.')

const sendJson = (response: ServerResponse, answer: Answer, version?: '1.0' | '1.1') => {
  if ('drop' in answer) {
    response.destroy()
    return
  }
  const body = Buffer.from(JSON.stringify(answer.body))
  response.writeHead(answer.status, {
    'content-type': version === undefined ? 'application/json' : `application/x-amz-json-${version}`,
    'content-length': body.length,
    'x-amzn-requestid': randomUUID(),
    ...answer.headers,
  })
  response.end(body)
}
