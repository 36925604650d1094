import { parseStartedBy } from '../schemas/ids.ts'
import { isLive, type Job, livePhases, phases } from '../schemas/job.ts'
import { recordLimits } from '../schemas/limits.ts'
import type { Pacer } from './admit/pacer.ts'
import type { Clock } from './clock.ts'
import type { Costs } from './costs.ts'
import { hashSpec } from './intake/resolve.ts'
import { isSourceDue } from './reconcile/decide.ts'
import { childSeen, lookAtParent } from './reconcile/family.ts'
import type { Memory } from './reconcile/memory.ts'
import { hasEnded } from './reconcile/pipeline.ts'
import type { TaskLook } from './run/answers.ts'
import type { Runner } from './run/ecs.ts'
import type { JobStore } from './store/jobs.ts'
import { type Item, readStored, type Stored } from './store/stored.ts'

export type SweepPorts = {
  jobs: JobStore
  runner: Runner
  memory: Memory
  pacers: { listTasks: Pacer; describeTasks: Pacer }
  clock: Clock
  installation: string
  costs: Pick<Costs, 'begin'>
  wake: (jobId: string) => void
  /** One record or task that fails does not keep the others from being looked at. */
  onError: (error: unknown) => void
}

const scanPageSize = 100
const scanPauseMs = 200

/** Every task of ours in the cluster, running and recently stopped, paced; and when the listing began. */
export async function listOurTasks(ports: SweepPorts): Promise<{ begunAtMs: number; looks: TaskLook[] }> {
  const begunAtMs = ports.clock.nowMs()
  const arns: string[] = []
  for (const status of ['RUNNING', 'STOPPED'] as const) {
    let from: string | undefined
    do {
      await ports.pacers.listTasks.take()
      const page = await ports.runner.list(status, from)
      arns.push(...page.arns)
      from = page.next
    } while (from)
  }
  const looks: TaskLook[] = []
  for (let at = 0; at < arns.length; at += 100) {
    await ports.pacers.describeTasks.take()
    looks.push(...(await ports.runner.describe(arns.slice(at, at + 100))).values())
  }
  const ours = looks.filter(({ startedBy }) => parseStartedBy(startedBy)?.installation === ports.installation)
  return { begunAtMs, looks: ours }
}

/** ARNs by `jobId/fence`: what a launch without an answer looks itself up in. */
export const arnsByLaunch = (looks: readonly TaskLook[]): Map<string, string> =>
  new Map(
    looks.flatMap(({ arn, startedBy }) => {
      const started = parseStartedBy(startedBy)
      return started ? [[`${started.jobId}/${started.fence}`, arn]] : []
    }),
  )

/** Compares both full lists: live tasks without a job become strays, live jobs that nobody watches are woken. */
export async function sweep(ports: SweepPorts): Promise<void> {
  const { looks } = await listOurTasks(ports)
  await checkTasks(looks, ports)
  for (const phase of livePhases) {
    let from: Item | undefined
    do {
      const page = await ports.jobs.inPhase(phase, { limit: 1000, from })
      for (const jobId of page.ids) if (!ports.memory.has(jobId)) ports.wake(jobId)
      from = page.next
    } while (from)
  }
}

/** Live tasks that no job's fence names become strays of their job. */
export async function checkTasks(looks: readonly TaskLook[], ports: SweepPorts): Promise<void> {
  for (const look of looks) if (look.stop === undefined) await checkTask(look, ports).catch(ports.onError)
}

async function checkTask(look: TaskLook, ports: SweepPorts): Promise<void> {
  const started = parseStartedBy(look.startedBy)
  if (!started || ports.memory.isCurrent(started.jobId, look.arn)) return
  const item = await ports.jobs.get(started.jobId)
  // The fence decides: the intent is written before RunTask, so a task whose fence is not in the record is outlived.
  if (item?.fence !== started.fence) ports.memory.addStray(started.jobId, look.arn, look.desiredStatus)
  ports.wake(started.jobId)
}

/** How many jobs there are in each phase, counted on the way. */
export type PhaseCounts = Map<string, number>

/**
 * Reads every record once, slowly: wakes those that no index shows (without phase or createdAt), turns finished jobs whose
 * time is over into tombstones, and counts jobs and costs.
 */
export async function scan(ports: SweepPorts, signal: AbortSignal): Promise<PhaseCounts> {
  const counts: PhaseCounts = new Map(phases.map((phase) => [phase, 0]))
  const recount = ports.costs.begin()
  let from: Item | undefined
  let isWhole = false
  try {
    do {
      const page = await ports.jobs.scan(from, scanPageSize)
      for (const item of page.items) {
        const stored = readStored(item)
        const known = counts.get(String(item.phase))
        if (stored.is !== 'tombstone' && known !== undefined) counts.set(String(item.phase), known + 1)
        const isReaped = await checkRecord(item, stored, ports).catch(ports.onError)
        const job = stored.is === 'submitted' ? stored.old : stored.is === 'accepted' ? stored.job : undefined
        if (job) recount.show(job, isReaped === true)
      }
      from = page.next
      if (from) await ports.clock.sleep(scanPauseMs, signal)
    } while (from && !signal.aborted)
    isWhole = from === undefined
  } finally {
    recount.end(isWhole)
  }
  return counts
}

/** @returns whether the record was reaped */
async function checkRecord(item: Item, stored: Stored, ports: SweepPorts): Promise<boolean> {
  const jobId = String(item.jobId)
  switch (stored.is) {
    case 'none':
    case 'tombstone':
      return false
    case 'submitted':
    case 'broken':
      ports.wake(jobId)
      return false
    case 'accepted': {
      const { job } = stored
      if (hasEnded(job) && job.fence === undefined) {
        if (isSourceDue(job)) {
          ports.wake(jobId)
          return false
        }
        const endMs = Date.parse(job.finishedAt ?? job.acceptedAt) + job.settings.ttlAfterFinished * 1000
        if (ports.clock.nowMs() < endMs || (await isKept(job, ports))) return false
        for (const jobId of childrenOf(job)) await buryChild(jobId, job, ports)
        return bury(item, ports)
      }
      if (!isLive(job.phase) || !ports.memory.has(jobId)) ports.wake(jobId)
      return false
    }
    default:
      throw stored satisfies never
  }
}

/** The results of a child are its parent's: as long as that knows it and is there, the child stays. */
const isKept = async (job: Job, { jobs }: SweepPorts): Promise<boolean> =>
  (await lookAtParent(job, jobs, 'also after its end')).is === 'alive'

const childrenOf = ({ pipeline }: Job): string[] =>
  pipeline?.steps.flatMap(({ children }) => children.map(({ jobId }) => jobId)) ?? []

/** Children go first: a parent that is left alone after a crash is met again by the next scan. */
async function buryChild(jobId: string, parent: Job, ports: SweepPorts): Promise<void> {
  const item = await ports.jobs.get(jobId)
  const stored = readStored(item)
  if (item && stored.is === 'accepted' && childSeen(stored, parent).is === 'ended') await bury(item, ports)
}

/**
 * What is left: enough for a late redelivery to find that this job has been, and for another request under its id to be told
 * from one. DynamoDB removes it later.
 */
async function bury(item: Item, { jobs, clock }: SweepPorts): Promise<boolean> {
  const kept = new Set(['jobId', 'kind', 'phase', 'uid', 'sequencer', 'specHash', 'expiresAt'])
  // The spec that stands there now, with which requests were compared until now: it may have been edited since its acceptance.
  const specHash = hashSpec(item.spec)
  const expiresAt = Math.floor(clock.nowMs() / 1000) + recordLimits.tombstoneS
  return jobs.update(
    String(item.jobId),
    { set: { expiresAt, specHash }, remove: Object.keys(item).filter((name) => !kept.has(name)) },
    { uid: item.uid, revision: item.revision, phase: item.phase },
  )
}
