import type { UserEdit } from '../../controller/store/jobs.ts'
import { uploadJobId } from '../../schemas/ids.ts'
import { isTerminal } from '../../schemas/job.ts'
import { isPipelineKind } from './family-rules.ts'
import { startFamilyUsers } from './family-users.ts'
import type { FaultName } from './faults.ts'
import { tail } from './network.ts'
import { drawJob, drawPipeline, type JobWish, strangerUid } from './plan.ts'
import { startOfTimeMs, type World } from './world.ts'

/** What users asked for in a run, to be compared with what became of it. */
export type Requests = {
  /** Every id for which there has to be a record at the end. */
  jobIds: Set<string>
  /** Jobs that were asked for in all. */
  submitted: number
  /** Messages that nobody can read: they have to stand in the dead-letter queue. */
  rubbish: Set<string>
}

/** Users: they submit in every way there is, change their minds, and do to records what people do in a console. */
export function startUsers(world: World): Requests {
  const { plan, random, faults, scheduler } = world
  const requests: Requests = { jobIds: new Set(), submitted: plan.jobs, rubbish: new Set() }

  for (let index = 0; index < plan.jobs; index += 1) {
    const isPipeline = index < plan.pipelines
    const wish = (isPipeline ? drawPipeline : drawJob)(random, index, plan, faults)
    if (wish.kind !== 'container') world.s3.put('uploads', `in/${wish.jobId}.mp4`)
    scheduler.after(tail(random, 0, plan.faultsMs / 2), () => submit(world, wish, requests))
  }
  const actions = Math.min(30, 4 + Math.floor(plan.faultsMs / 30_000))
  for (let count = 0; count < actions; count += 1)
    scheduler.after(random.next() * plan.faultsMs, () => meddle(world, requests))
  startFamilyUsers(world, requests)
  return requests
}

function submit(world: World, wish: JobWish, requests: Requests): void {
  const { random, scheduler, faults, sqs } = world
  const ways = ['put', 'message', 'upload', 'http']
  // Of an upload its first folder makes the kind, and this wish has parameters.
  const way = random.pick(isPipelineKind(wish.kind) ? ways.filter((each) => each !== 'upload') : ways)
  const jobsQueue = world.queueUrl(world.names.jobsQueue)
  const deliver = (body: string): void => {
    const delayMs = faults.strikes('messageDelayed') ? tail(random, 1000, 60_000) : 0
    scheduler.after(delayMs, () => sqs.deliver(jobsQueue, body))
    if (faults.strikes('messageDoubled'))
      scheduler.after(tail(random, 0, 120_000), () => sqs.deliver(jobsQueue, body))
  }
  const { jobId, kind, spec } = wish
  if (way === 'upload') {
    const key = `transcode/${jobId}.mp4`
    const { etag, sequencer } = world.s3.put('uploads', key)
    requests.jobIds.add(uploadJobId('transcode', 'uploads', key, etag))
    const record = {
      eventSource: 'aws:s3',
      eventName: 'ObjectCreated:Put',
      s3: { bucket: { name: 'uploads' }, object: { key, size: 1, eTag: etag, sequencer } },
    }
    deliver(JSON.stringify({ Records: [record] }))
    return
  }
  requests.jobIds.add(jobId)
  const createdAt = new Date(scheduler.nowMs()).toISOString()
  if (way === 'put') {
    world.userWrites(jobId, { jobId, kind, phase: 'Submitted', createdAt, spec })
    return
  }
  if (way === 'message') {
    const { suspend: _suspend, ...rest } = spec
    deliver(JSON.stringify({ jobId, kind, spec: rest }))
    return
  }
  // HTTP answers an error when the table does not: the user tries again.
  const post = async (): Promise<void> => {
    await world.httpJobs.create({ jobId, kind, createdAt, phase: 'Submitted', spec }).catch(() => {
      scheduler.after(5000, () => void post())
    })
  }
  void post()
}

type Meddling = {
  world: World
  requests: Requests
  jobId: string
  item: Record<string, unknown>
  spec: Record<string, unknown>
  /** A raw write over the record as it is. */
  put(changes: Record<string, unknown>): void
  /** What the API does for a user: an edit, and a wake-up. */
  wish(edit: UserEdit): void
}

/** What users do, and when it makes sense. */
const meddlings: readonly {
  name: FaultName
  if?: (state: 'waiting' | 'live' | 'over' | 'other') => boolean
  do: (meddling: Meddling) => void
}[] = [
  { name: 'cancel', do: ({ wish }) => wish({ wish: 'cancel' }) },
  { name: 'rawCancel', do: ({ put, spec }) => put({ spec: { ...spec, cancel: true } }) },
  {
    name: 'suspend',
    do({ world, wish }) {
      wish({ wish: 'suspend' })
      // Somebody thinks better of it.
      if (world.random.once(2))
        world.scheduler.after(tail(world.random, 1000, 120_000), () => wish({ wish: 'resume' }))
    },
  },
  { name: 'rawSuspend', do: ({ put, spec }) => put({ spec: { ...spec, suspend: true } }) },
  { name: 'resume', do: ({ wish }) => wish({ wish: 'resume' }) },
  {
    name: 'retry',
    if: (state) => state === 'over',
    do: ({ wish, item }) => wish({ wish: 'retry', phase: String(item.phase) }),
  },
  {
    name: 'rawRetry',
    if: (state) => state === 'over',
    do: ({ put, spec }) => put({ phase: 'Submitted', spec: { ...spec, cancel: undefined } }),
  },
  { name: 'editLimits', do: editLimits },
  { name: 'editInvalid', do: ({ put, spec }) => put({ spec: { ...spec, limits: 'none' } }) },
  {
    name: 'editPhase',
    if: (state) => state === 'live',
    do: ({ put, world }) =>
      put({ phase: world.random.pick(['Pending', 'Submitted', 'Succeeded', 'Cancelled', 'Running']) }),
  },
  { name: 'editPhaseWaiting', if: (state) => state === 'waiting', do: editPhaseWaiting },
  { name: 'overwrite', do: overwrite },
  { name: 'copyRecord', do: copyRecord },
  {
    name: 'deleteRecord',
    do({ world, requests, jobId }) {
      requests.jobIds.delete(jobId)
      world.userWrites(jobId, undefined)
    },
  },
  { name: 'damageRecord', do: damage },
  { name: 'laterVersionWrote', if: (state) => state === 'live' || state === 'waiting', do: extend },
  {
    name: 'rubbishMessage',
    do({ world, requests }) {
      const bodies = ['not json', '[]', '{"Records":[]}', '{"kind":"transcode","spec":{"queue":7}}']
      const queue = world.queueUrl(world.names.jobsQueue)
      requests.rubbish.add(world.sqs.deliver(queue, world.random.pick(bodies)))
    },
  },
  {
    name: 'foreignTask',
    do({ world, jobId }) {
      const strangers = [`other/${jobId}/${strangerUid}/1/1`, 'ecs-svc/123', 'somebody']
      world.ecs.startForeign(world.random.pick(strangers))
    },
  },
  {
    name: 'orphanTask',
    do({ world, jobId }) {
      world.ecs.startForeign(`sim/${world.random.pick([jobId, 'never-was'])}/${strangerUid}/1/1`)
    },
  },
  { name: 'newVersion', do: ({ world }) => world.ecs.deployRevision() },
]

/** One thing that somebody does to one of the records that are there. */
function meddle(world: World, requests: Requests): void {
  const { random, faults, scheduler } = world
  if (faults.healed()) return
  const isThere = (item: Record<string, unknown> | undefined): boolean =>
    item !== undefined && item.expiresAt === undefined
  const ids = [...requests.jobIds].filter((id) => isThere(world.record(id)))
  if (ids.length === 0) return
  // What happens to a job that runs is worth more than what happens to one that has long ended.
  const live = ids.filter((id) => world.record(id)?.fence !== undefined)
  const jobId = random.pick(live.length > 0 && random.once(2) ? live : ids)
  const item = world.record(jobId) as Record<string, unknown>
  const chosen = meddlings.find(
    ({ name, if: applies }) => (applies?.(stateOf(item)) ?? true) && faults.strikes(name),
  )
  chosen?.do({
    world,
    requests,
    jobId,
    item,
    spec: (item.spec ?? {}) as Record<string, unknown>,
    put: (changes) => world.userWrites(jobId, without({ ...item, ...changes })),
    wish(edit) {
      void world.httpJobs.edit(jobId, edit).catch(() => undefined)
      const queue = world.queueUrl(world.names.taskEventsQueue)
      scheduler.after(50, () => world.sqs.deliver(queue, JSON.stringify({ jobId })))
    },
  })
}

function stateOf({ phase, fence }: Record<string, unknown>): 'waiting' | 'live' | 'over' | 'other' {
  if (fence !== undefined) return isTerminal(String(phase)) ? 'other' : 'live'
  if (isTerminal(String(phase))) return 'over'
  return phase === 'Pending' ? 'waiting' : 'other'
}

function editLimits({ world: { random }, put, spec }: Meddling): void {
  const limits = (spec.limits ?? {}) as Record<string, unknown>
  put({
    spec: {
      ...spec,
      limits: { ...limits, attemptTimeout: random.pick([20, 300]), maxMemory: random.pick([2048, 8192]) },
      resources: { cpu: random.pick([256, 512]), memory: 1024 },
    },
  })
}

/** Its end is then the user's own, and no rule of ours. */
function editPhaseWaiting({ world, put, jobId }: Meddling): void {
  world.damaged.add(jobId)
  put({ phase: world.random.pick(['Succeeded', 'Cancelled', 'Running', 'Starting']) })
}

function overwrite({ world, jobId, item, spec }: Meddling): void {
  world.userWrites(jobId, {
    jobId,
    kind: item.kind,
    phase: 'Submitted',
    createdAt: new Date(world.scheduler.nowMs()).toISOString(),
    spec: without({ ...spec, cancel: undefined, suspend: undefined }),
  })
}

function copyRecord({ world, requests, item }: Meddling): void {
  const copy = `copy-${Math.floor(world.scheduler.nowMs() - startOfTimeMs)}`
  requests.jobIds.add(copy)
  world.userWrites(copy, { ...item, jobId: copy })
}

function damage({ world, jobId, put }: Meddling): void {
  world.damaged.add(jobId)
  put(
    world.random.pick<Record<string, unknown>>([
      { launching: 'gone' },
      { launching: undefined },
      { attempts: undefined },
      { settings: { queue: 7 } },
      { fence: undefined },
      { phase: 'Stopping', stopping: undefined },
      { taskArn: 'not-an-arn' },
      { revision: 'three' },
    ]),
  )
}

/** What a controller of a later version may leave behind: members that this one does not know. */
function extend({ item, put }: Meddling): void {
  const more = (value: unknown): unknown =>
    isMap(value) ? { ...(value as object), later: 'version' } : value
  const each = (list: unknown): unknown => (Array.isArray(list) ? list.map(more) : list)
  const { settings, launching, counts, attempts, history } = item
  put({
    settings: more(settings),
    launching: more(launching),
    counts: more(counts),
    attempts: each(attempts),
    history: each(history),
    later: 'version',
  })
}

const isMap = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** What JSON has: members without a value are not there. */
const without = (item: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(item).filter(([, value]) => value !== undefined))
