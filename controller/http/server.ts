import rateLimit from '@fastify/rate-limit'
import {
  type FastifyBaseLogger,
  type FastifyPluginAsync,
  type FastifyPluginOptions,
  fastify,
  LogController,
  type RawServerDefault,
} from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { whyNotPublic } from '../../schemas/public-address.ts'
import { ControllerError } from '../errors.ts'
import { refuseForeignPages, requireToken } from './access.ts'
import type { Api } from './api.ts'
import { acceptJsonOnly } from './body.ts'
import { answerBrokenHttp, answerError, answerNotFound } from './failures.ts'
import { sendSafeHeaders } from './headers.ts'
import { openapiRoute, useSchemas } from './openapi.ts'
import type { HttpPorts } from './ports.ts'
import { jobRoutes } from './routes/jobs.ts'
import { logRoutes } from './routes/logs.ts'
import { outputRoutes } from './routes/outputs.ts'
import { pageRoutes } from './routes/page.ts'
import { probeRoutes } from './routes/probes.ts'
import { statusRoutes } from './routes/status.ts'
import { uploadRoutes } from './routes/uploads.ts'
import { wishRoutes } from './routes/wishes.ts'

const bodyLimitBytes = 1024 * 1024
const requestTimeoutMs = 30_000
const requestsPerMinute = 600
// An uploadId holds a key of up to 1,024 bytes in base64.
const longestParameter = 1400

/** Status, API and page. It is not listening yet; `listen` of `controller/http/listen.ts` does that with its own errors. */
export function createHttpServer(ports: HttpPorts): Api {
  const app: Api = fastify({
    loggerInstance: quiet(ports.log),
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: bodyLimitBytes,
    requestTimeout: requestTimeoutMs,
    trustProxy: ports.behindLoadBalancer === true ? isLoadBalancer : false,
    routerOptions: { maxParamLength: longestParameter },
    // While it ends, it still answers what comes in on open connections, in the usual form.
    return503OnClosing: false,
    genReqId: ports.randomId,
    frameworkErrors: answerError(bodyLimitBytes),
    clientErrorHandler: answerBrokenHttp,
  })
  app.setErrorHandler(answerError(bodyLimitBytes))
  app.setNotFoundHandler(answerNotFound)
  acceptJsonOnly(app)
  sendSafeHeaders(app)
  useSchemas(app)
  limitRequests(app, ports.requestsPerMinute ?? requestsPerMinute)

  void app.register(openTo(ports))
  return app
}

/** Only the one who calls us, and only from inside: whatever else stands in X-Forwarded-For, the caller may have written. */
const isLoadBalancer = (address: string, hop: number): boolean =>
  hop === 0 && whyNotPublic(address, 443) !== undefined

/** Probes are open to everybody, the page to whom we do not take for a foreign page, the rest to who has a token. */
const openTo =
  (ports: HttpPorts): Plugin =>
  async (app) => {
    probeRoutes(app, ports)
    await app.register(ourPages(ports))
  }

const ourPages =
  (ports: HttpPorts): Plugin =>
  async (app) => {
    refuseForeignPages(app, ports.tokens)
    pageRoutes(app, ports)
    await app.register(api(ports))
  }

const api =
  (ports: HttpPorts): Plugin =>
  async (app) => {
    await requireToken(app, ports.tokens)
    openapiRoute(app)
    statusRoutes(app, ports)
    jobRoutes(app, ports)
    wishRoutes(app, ports)
    logRoutes(app, ports)
    outputRoutes(app, ports)
    uploadRoutes(app, ports)
  }

type Plugin = FastifyPluginAsync<FastifyPluginOptions, RawServerDefault, ZodTypeProvider, FastifyBaseLogger>

/** A line for each request would drown what the controller does. */
const quiet = (log: HttpPorts['log']): FastifyBaseLogger => {
  const level = log.isLevelEnabled('warn') ? 'warn' : log.level
  return log.child({ part: 'http' }, { level })
}

function limitRequests(app: Api, max: number): void {
  void app.register(rateLimit, {
    max,
    timeWindow: 60_000,
    errorResponseBuilder: () => ControllerError.of('TOO_MANY_REQUESTS', { max }),
  })
}
