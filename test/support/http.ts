import { randomBytes } from 'node:crypto'
import { PutCommand } from '@aws-sdk/lib-dynamodb'
import { pino } from 'pino'
import type { Api } from '../../controller/http/api.ts'
import { listen } from '../../controller/http/listen.ts'
import type { HttpPorts } from '../../controller/http/ports.ts'
import { createHttpServer } from '../../controller/http/server.ts'
import { accept } from '../../controller/intake/accept.ts'
import type { Policy } from '../../controller/policy.ts'
import { createLogReader } from '../../controller/run/logs.ts'
import { createControlStore } from '../../controller/store/control.ts'
import { createJobStore } from '../../controller/store/jobs.ts'
import { createObjectStore } from '../../controller/store/objects.ts'
import { acceptedJobSchema, type Job } from '../../schemas/job.ts'
import type { Status } from '../../schemas/status.ts'
import type { TestAws } from './local-aws.ts'

export const policy: Policy = {
  installation: 'test',
  maxRunning: 10,
  maxVcpu: 6,
  queues: { default: {}, batch: { maxRunning: 1 } },
  visibilityGraceMs: 1000,
  reservedFamilies: [],
  uploadsBucket: 'uploads',
}

export type TestHttp = {
  url: string
  server: Api
  /** Ids that somebody was woken for, in order. */
  woken: string[]
  get(path: string, headers?: Record<string, string>): Promise<Answer>
  post(path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
  /** Puts a record as a user with a console would. */
  put(item: Record<string, unknown>): Promise<void>
  publish(status: Status): Promise<void>
  close(): Promise<void>
}

export type Answer = { status: number; headers: Headers; text: string; body: Body }
/** What came back, for tests to look into. */
export type Body = { [name: string]: unknown }

export const randomId = (): string => randomBytes(10).toString('hex')

/** A listening server over the real stores, against a local AWS. */
export async function startTestHttp(
  aws: TestAws,
  overrides: Partial<HttpPorts> = {},
  port = 0,
): Promise<TestHttp> {
  const { configuration } = aws
  const { documents, s3, logs } = aws.clients()
  const control = createControlStore(documents, configuration.CONTROL_TABLE)
  const woken: string[] = []
  const tokens = overrides.tokens ?? {}
  const server = createHttpServer({
    jobs: createJobStore(documents, configuration.JOBS_TABLE),
    wake: async (jobId) => void woken.push(jobId),
    status: control.readStatus,
    objects: createObjectStore(s3),
    logs: createLogReader(logs, configuration.LOG_GROUP),
    policy,
    uploadRules: { defaultKind: 'transcode' },
    buckets: { uploads: configuration.UPLOADS_BUCKET, outputs: configuration.OUTPUTS_BUCKET },
    presignS: 3600,
    tokens,
    metrics: async () => ({ contentType: 'text/plain; version=0.0.4', text: 'up 1\n' }),
    ready: () => ({ ready: true }),
    clock: { nowMs: Date.now },
    randomId,
    log: pino({ level: 'silent' }),
    requestsPerMinute: 100_000,
    ...overrides,
  })
  const url = await listen(server, { host: '127.0.0.1', port, tokens })

  const call = async (path: string, init: RequestInit): Promise<Answer> => {
    const response = await fetch(`${url}${path}`, init)
    const text = await response.text()
    const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: isJson ? (JSON.parse(text) as Body) : {},
    }
  }
  return {
    url,
    server,
    woken,
    get: (path, headers = {}) => call(path, { headers }),
    post: (path, body, headers = {}) =>
      call(path, {
        method: 'POST',
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
        headers: { ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      }),
    async put(item) {
      await documents.send(new PutCommand({ TableName: configuration.JOBS_TABLE, Item: item }))
    },
    publish: control.writeStatus,
    close: () => server.close(),
  }
}

type Overrides = Omit<Partial<Job>, 'settings'> & { settings?: Partial<Job['settings']> }

/** A record that the controller has accepted at `nowMs`, changed where a test wants it otherwise. */
export function acceptedJob(overrides: Overrides = {}, nowMs = Date.now()): Job {
  const jobId = overrides.jobId ?? `job-${randomId().slice(0, 8)}`
  const item = {
    jobId,
    kind: overrides.kind ?? 'transcode',
    phase: 'Submitted',
    createdAt: overrides.createdAt ?? new Date(nowMs).toISOString(),
    spec: overrides.spec ?? { input: { bucket: 'uploads', key: 'film.mp4', etag: 'e' } },
  }
  const { change } = accept(item, undefined, { is: 'unknown' }, policy, nowMs, randomId())
  const job = acceptedJobSchema.parse({ ...item, ...change.set })
  return { ...job, ...overrides, settings: { ...job.settings, ...overrides.settings } }
}

export const statusAt = (nowMs: number, overrides: Partial<Status> = {}): Status => ({
  at: new Date(nowMs).toISOString(),
  leader: { id: 'test-1', mode: 'leader', since: new Date(nowMs - 60_000).toISOString() },
  phases: {},
  limits: { running: 0, maxRunning: 10, vcpu: 0, maxVcpu: 6 },
  queues: [],
  workqueue: { waiting: 0, ready: 0, running: 0, lagMs: 0, dropped: 0 },
  pacers: { runTask: 20 },
  intake: {},
  costs: [],
  attention: [],
  ...overrides,
})
