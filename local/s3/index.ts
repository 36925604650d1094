import { randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { finished, pipeline } from 'node:stream/promises'
import { openBodies } from './bodies.ts'
import type { Answer, S3 } from './call.ts'
import { corsHeaders } from './cors.ts'
import { createDelivery } from './delivery.ts'
import { S3Error } from './errors.ts'
import { mayRefuse, noFaults, type S3Faults } from './faults.ts'
import { hoistedHeaders, wireHeaders } from './headers.ts'
import { openUploads } from './multipart.ts'
import { openObjects } from './objects.ts'
import { runOperation } from './operations/run.ts'
import { parseTarget, routeOperation, type Target } from './route.ts'
import { authenticate } from './sigv4.ts'
import { renderXml } from './xml.ts'

export { noFaults, type S3Faults } from './faults.ts'

export type S3Options = {
  /** Objects live here, streamed to disk; they survive a restart. One process at a time may use it. */
  dataDir: string
  region: string
  nowMs: () => number
  /** The secret of an access key, for the verification of signatures. */
  secretFor: (accessKeyId: string) => string | undefined
  /** Delivers a notification to an SQS queue; a rejection is tried again a few times. */
  notify: (queueArn: string, body: string) => Promise<void>
  log: { warn(o: object, msg: string): void }
  /** Switches for tests; the object is read at each use, so it may be changed at any time. */
  faults?: S3Faults
}

/**
 * A small S3 that speaks the real protocol, for one machine: `handle` is a request listener for `node:http`.
 * It needs the request line and headers as they came, since signatures cover them.
 */
export async function createS3(
  options: S3Options,
): Promise<{ handle(req: IncomingMessage, res: ServerResponse): void; close(): Promise<void> }> {
  const { log } = options
  const s3 = await openS3(options)
  let isClosed = false

  return {
    handle(req, res) {
      const requestId = randomBytes(8).toString('hex').toUpperCase()
      const exchange = { req, res, requestId }
      void (isClosed ? refuse(exchange) : serve(s3, options, exchange)).catch((error: unknown) => {
        // Sending failed half-way: the client is gone, or a file could not be read. Only a broken connection tells.
        if (!isDisconnect(error))
          log.warn({ err: error, requestId, path: pathOf(req) }, 'S3 answer was cut off')
        res.destroy()
      })
    },
    async close() {
      isClosed = true
      await s3.delivery.close()
      await s3.bodies.settle()
    },
  }
}

type Exchange = { req: IncomingMessage; res: ServerResponse; requestId: string }

async function openS3(options: S3Options): Promise<S3> {
  const { dataDir, region, nowMs, notify, log } = options
  const faults = options.faults ?? noFaults()
  let unreadable = 0
  const onUnreadable = (path: string, error: unknown) => {
    unreadable += 1
    log.warn({ path, err: error }, 'S3 record is unreadable; it is left out')
  }
  const bodies = await openBodies(join(dataDir, 'bodies'), (error) => {
    log.warn({ err: error }, 'S3 body could not be removed')
  })
  const objects = await openObjects({ directory: join(dataDir, 'buckets'), bodies, nowMs, onUnreadable })
  const uploads = await openUploads({
    directory: join(dataDir, 'uploads'),
    bodies,
    nowMs,
    isCompleted: (uploadId) => objects.isCompleted(uploadId),
    onUnreadable,
  })
  // An unreadable record may be the holder of bytes that would look like leftovers.
  if (unreadable === 0) await bodies.sweep()
  return {
    region,
    nowMs,
    bodies,
    objects,
    uploads,
    notify,
    faults,
    delivery: createDelivery({ region, notify, log, faults }),
  }
}

async function serve(s3: S3, options: S3Options, exchange: Exchange): Promise<void> {
  const { req, res } = exchange
  let target: Target | undefined
  let answer: Answer
  try {
    target = parseTarget(req.url ?? '/', req.headers.host)
    answer = await perform(s3, options, exchange, target)
  } catch (error) {
    const isGone = res.destroyed || (req.destroyed && !req.complete)
    if (isGone) throw error
    if (!(error instanceof S3Error))
      options.log.warn({ err: error, path: pathOf(req) }, 'S3 operation failed')
    answer = errorAnswer(error instanceof S3Error ? error : new S3Error('InternalError'), exchange)
  }
  await send(s3, exchange, answer, target ? crossOriginHeaders(s3, req, target) : {})
}

async function perform(s3: S3, options: S3Options, exchange: Exchange, target: Target): Promise<Answer> {
  const { req, requestId } = exchange
  const method = req.method ?? 'GET'
  if (method === 'OPTIONS') return preflight(s3, req, target)
  mayRefuse(s3.faults)
  const sent = wireHeaders(req.rawHeaders)
  const authentication = authenticate(
    { method, rawPath: target.rawPath, query: target.query, headers: sent },
    { secretFor: options.secretFor, nowMs: s3.nowMs() },
  )
  const headers = authentication.isPresigned ? hoistedHeaders(sent, target.query) : sent
  return runOperation(s3, routeOperation(method, target, headers.has('x-amz-copy-source')), {
    bucket: target.bucket,
    key: target.key,
    query: target.query,
    headers,
    header: (name) => headers.get(name),
    authentication,
    // The request must outlive a failure, or the client would see a broken connection instead of the error.
    body: () => req.iterator({ destroyOnReturn: false }),
    requestId,
    sourceIp: req.socket.remoteAddress ?? '',
  })
}

async function send(s3: S3, exchange: Exchange, answer: Answer, more: Record<string, string>): Promise<void> {
  const { req, res, requestId } = exchange
  const { status, headers = {}, body, release } = answer
  const isStillSending = !req.complete
  try {
    res.sendDate = false
    res.writeHead(status, {
      ...more,
      ...headers,
      ...lengthHeader(answer),
      ...(isStillSending ? { connection: 'close' } : {}),
      date: new Date(s3.nowMs()).toUTCString(),
      server: 'AmazonS3',
      'x-amz-request-id': requestId,
      'x-amz-id-2': requestId,
    })
    if (isStillSending) await drain(req, res, body)
    if (body === undefined || typeof body === 'string') res.end(isStillSending ? undefined : body)
    else await pipeline(body, res)
  } finally {
    release?.()
  }
}

/**
 * An upload that is refused half-way: the client gets the whole answer at once, and what it still sends is read and
 * dropped. Closing earlier would reset the connection, and a client that sends first and reads later would never see
 * the answer.
 */
async function drain(req: IncomingMessage, res: ServerResponse, body: Answer['body']): Promise<void> {
  if (typeof body === 'string') res.write(body)
  else res.flushHeaders()
  req.resume()
  await finished(req).catch(() => undefined)
}

/** Without a length Node would send even an empty body in chunks. 204 and 304 have none, streams bring their own. */
function lengthHeader({ status, headers, body }: Answer): Record<string, string> {
  if (typeof body === 'string') return { 'content-length': String(Buffer.byteLength(body)) }
  const isEmpty = body === undefined && status !== 204 && status !== 304 && !headers?.['content-length']
  return isEmpty ? { 'content-length': '0' } : {}
}

function errorAnswer(error: S3Error, { req, requestId }: Exchange): Answer {
  if (req.method === 'HEAD') return { status: error.status }
  const { code, message, details } = error
  const content = {
    Code: code,
    Message: message,
    Resource: pathOf(req),
    ...details,
    RequestId: requestId,
    HostId: requestId,
  }
  return {
    status: error.status,
    headers: { 'content-type': 'application/xml' },
    body: renderXml('Error', content, null),
  }
}

async function refuse(exchange: Exchange): Promise<void> {
  const { status, headers, body } = errorAnswer(new S3Error('ServiceUnavailable'), exchange)
  exchange.res.writeHead(status, headers).end(body)
  exchange.req.resume()
}

/** Browsers ask before they upload: no signature, only the bucket's rules decide. */
function preflight(s3: S3, req: IncomingMessage, { bucket }: Target): Answer {
  const origin = req.headers.origin
  const method = req.headers['access-control-request-method']
  if (!origin || !method) {
    throw new S3Error('InvalidRequest', 'Insufficient information. Origin request header needed.')
  }
  const rules = s3.objects.getBucket(bucket).cors
  if (!rules) throw new S3Error('AccessForbidden', 'CORSResponse: CORS is not enabled for this bucket.')
  const requestHeaders = (req.headers['access-control-request-headers'] ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => name !== '')
  const headers = corsHeaders(rules, { origin, method, requestHeaders })
  if (!headers) throw new S3Error('AccessForbidden', undefined, { Method: method, ResourceType: 'OBJECT' })
  return { status: 200, headers }
}

/** A browser shows an answer, errors included, to a page of another origin only with these headers. */
function crossOriginHeaders(s3: S3, req: IncomingMessage, { bucket }: Target): Record<string, string> {
  const { origin } = req.headers
  if (!origin || req.method === 'OPTIONS') return {}
  const rules = s3.objects.listBuckets().find(({ name }) => name === bucket)?.cors
  return corsHeaders(rules ?? [], { origin, method: req.method ?? 'GET', requestHeaders: [] }) ?? {}
}

/** Without the query: that of a presigned URL is as good as a key. */
function pathOf(req: IncomingMessage): string {
  return (req.url ?? '/').split('?')[0] ?? '/'
}

function isDisconnect(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    (error.code === 'ECONNRESET' || error.code === 'ERR_STREAM_PREMATURE_CLOSE')
  )
}
