import { isTerminal, type Job, type TerminalPhase } from '../../schemas/job.ts'
import { type Child, formatParent, type Pipeline, parentOf } from '../../schemas/pipeline.ts'
import { wishesOf } from '../../schemas/wishes.ts'
import type { Clock } from '../clock.ts'
import type { JobStore } from '../store/jobs.ts'
import { type Item, readStored, type Stored } from '../store/stored.ts'
import { type ActPorts, deleteSource, type Next, write } from './act.ts'
import type { Memory } from './memory.ts'
import {
  type ChildSeen,
  decidePipeline,
  type Family,
  hasEnded,
  openChildren,
  type PipelineAction,
} from './pipeline.ts'
import type { ParentSeen, SpecEdit } from './seen.ts'
import { endOfLaunch, withHistory } from './settle.ts'

export type FamilyPorts = ActPorts & {
  jobs: JobStore
  memory: Memory
  clock: Clock
  /** A pipeline is looked at again after this time at the latest, whatever its children have missed to tell. */
  resyncMs: number
  outputsBucket: string
  wake: (jobId: string) => void
  /** Deletes what a pipeline made for its own steps only. A key that is not there is no error. */
  deleteOutputs: (keys: readonly string[]) => Promise<void>
}

/**
 * What a child has to know of its parent: the wishes of both count.
 * @param until whether a parent that has ended still counts as one
 */
export async function lookAtParent(
  { jobId, settings }: Job,
  jobs: Pick<JobStore, 'get'>,
  until: 'its end' | 'also after its end' = 'its end',
): Promise<ParentSeen> {
  const ref = parentOf(settings)
  return ref === undefined
    ? { is: 'none' }
    : parentSeen(jobId, ref.uid, readStored(await jobs.get(ref.jobId)), until)
}

/** A parent that has ended, is another life of its record, or does not know the child, wants nothing of it any more. */
export function parentSeen(
  childId: string,
  uid: string,
  stored: Stored,
  until: 'its end' | 'also after its end' = 'its end',
): ParentSeen {
  if (stored.is !== 'accepted' || stored.job.uid !== uid) return { is: 'ended' }
  if (until === 'its end' && hasEnded(stored.job)) return { is: 'ended' }
  const { pipeline, spec } = stored.job
  const isOurs =
    pipeline?.steps.some(({ children }) => children.some(({ jobId }) => jobId === childId)) ?? false
  if (!isOurs) return { is: 'ended' }
  const wishes = wishesOf(spec)
  return { is: 'alive', cancel: wishes.cancel || pipeline?.stopping !== undefined, suspend: wishes.suspend }
}

/** What stands under the id of a child, for its parent. */
export function childSeen(stored: Stored, parent: Pick<Job, 'jobId' | 'uid'>): ChildSeen {
  switch (stored.is) {
    case 'none':
      return { is: 'missing' }
    case 'tombstone':
      return endedChild(stored.phase === 'Succeeded' ? 'Succeeded' : 'Failed', 'ChildReaped', 'it was reaped')
    case 'submitted':
      return ofParent(stored.item.spec, parent) ? { is: 'live' } : { is: 'stranger' }
    case 'broken':
      // It fails by itself, which is when its parent hears of it.
      return isTerminal(String(stored.item.phase))
        ? endedChild('Failed', 'BrokenRecord', 'its record is damaged')
        : { is: 'live' }
    case 'accepted':
      // One that failed at acceptance has no settings of its own.
      return ofParent(stored.job.settings, parent) || ofParent(stored.job.spec, parent)
        ? acceptedChild(stored.job)
        : { is: 'stranger' }
    default:
      throw stored satisfies never
  }
}

const ofParent = (of: unknown, parent: Pick<Job, 'jobId' | 'uid'>): boolean => {
  const ref = parentOf(of)
  return ref !== undefined && formatParent(ref) === formatParent(parent)
}

const acceptedChild = ({ phase, reason, message, result, costUsd, fence }: Job): ChildSeen =>
  isTerminal(phase) && fence === undefined
    ? { is: 'ended', phase, reason, message, result, costUsd }
    : { is: 'live' }

const endedChild = (phase: TerminalPhase, reason: string, message: string): ChildSeen => ({
  is: 'ended',
  phase,
  reason,
  message,
  result: undefined,
  costUsd: undefined,
})

/** One look at a pipeline and its children, and one step. It holds no slot and stands in no line. */
export async function stepPipeline(
  job: Job,
  item: Item,
  plan: Pipeline,
  edit: SpecEdit,
  ports: FamilyPorts & { onStep: (jobId: string, fence: undefined, action: PipelineAction) => void },
): Promise<Next> {
  ports.memory.forget(job.jobId)
  // Whoever wrote it into a line, it needs no slot.
  ports.memory.dropGrant(job.jobId)
  const open = openChildren(job)
  const family: Family = new Map(
    await Promise.all(
      open.map(
        async ({ jobId }) => [jobId, childSeen(readStored(await ports.jobs.get(jobId)), job)] as const,
      ),
    ),
  )
  const seen = { family, isEdited: edit.is === 'valid', outputsBucket: ports.outputsBucket }
  const action = decidePipeline(job, plan, seen, ports.clock.nowMs())
  ports.onStep(job.jobId, undefined, action)
  tellChildren(job, open, ports)
  return actPipeline(job, item, plan, action, edit, ports)
}

/** Waiting children are seldom read: when the wishes of their parent have changed, they are woken. */
function tellChildren(job: Job, open: readonly Child[], { memory, wake }: FamilyPorts): void {
  const { cancel, suspend } = wishesOf(job.spec)
  const isNews = memory.familyHeard(job.jobId, `${cancel || job.pipeline?.stopping !== undefined} ${suspend}`)
  if (isNews) for (const { jobId } of open) wake(jobId)
}

const now: Next = { lookAgainMs: 0 }

async function actPipeline(
  job: Job,
  item: Item,
  plan: Pipeline,
  action: PipelineAction,
  edit: SpecEdit,
  ports: FamilyPorts,
): Promise<Next> {
  const nowMs = ports.clock.nowMs()
  const moved = (phase: Job['phase'], reason: string): Job['history'] =>
    withHistory(job, phase, reason, undefined, nowMs)
  switch (action.do) {
    case 'nothing':
      ports.memory.familyEnded(job.jobId)
      return 'whenWoken'
    case 'deleteSource':
      return deleteSource(job, item, ports)
    case 'wait':
      return { lookAgainMs: Math.max(0, Math.min(action.untilMs - nowMs, ports.resyncMs)) }
    case 'heal':
      await write(
        item,
        {
          set: { phase: action.phase, reason: action.reason, history: moved(action.phase, action.reason) },
          remove: ['backlogQueue', 'rank'],
        },
        ['phase'],
        ports,
      )
      return now
    case 'adoptEdit':
      if (edit.is === 'valid')
        await write(
          item,
          { set: { settings: edit.settings, specHash: edit.specHash }, remove: [] },
          ['phase'],
          ports,
        )
      return now
    case 'beginStep': {
      const reason = 'WaitingForChildren'
      const set = {
        phase: 'Running',
        reason,
        pipeline: action.state,
        history: moved('Running', stepWord(action)),
      } as const
      await write(item, { set, remove: ['backlogQueue', 'rank', 'notBefore', 'message'] }, ['phase'], ports)
      return now
    }
    case 'noteChildren':
      await write(item, { set: { pipeline: action.state }, remove: [] }, ['phase'], ports)
      return now
    case 'putChild':
      // Where it is already, somebody put it before: its parent finds it at the next look.
      await ports.jobs.create(action.child)
      ports.wake(action.child.jobId)
      return now
    case 'stopIntent': {
      const set = {
        phase: 'Stopping',
        reason: action.reason,
        pipeline: action.state,
        history: moved('Stopping', action.reason),
      } as const
      await write(item, { set, remove: [] }, ['phase'], ports)
      return now
    }
    case 'finish':
      // Before the end is written, because afterwards nobody comes back to it.
      await ports.deleteOutputs(plan.temporaryKeys({ ...job, ...job.pipeline }))
      await write(item, endOfLaunch(job, action, nowMs), ['phase'], ports)
      ports.memory.familyEnded(job.jobId)
      ports.onSettled(job, undefined, action.phase, 'none')
      return now
    default:
      throw action satisfies never
  }
}

/** The history tells which step began. */
const stepWord = ({ state }: Extract<PipelineAction, { do: 'beginStep' }>): string =>
  `Step-${state.steps.at(-1)?.name ?? ''}`.slice(0, 64)
