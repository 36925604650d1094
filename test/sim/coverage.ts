import type { Action } from '../../controller/reconcile/decide.ts'
import type { PipelineAction } from '../../controller/reconcile/pipeline.ts'
import { type FaultName, faultNames } from './faults.ts'

type RowOf<A> = A extends { do: infer Do extends string; reason: infer Reason extends string }
  ? `${Do}/${Reason}`
  : never
export type Row = RowOf<Action>

/** Ends of a pipeline that its own table names; any other reason is that of a child. */
const ownEnds = ['Done', 'Cancelled', 'DeadlineExceeded', 'StepImpossible'] as const
type PipelineEnd = (typeof ownEnds)[number] | 'a reason of a child'
export type PipelineRow =
  | `pipeline:${RowOf<Exclude<PipelineAction, { do: 'finish' }>>}`
  | `pipeline:finish/${PipelineEnd}`

/** The name of a row, as the tables below have it. */
export const rowOf = (action: string, reason: string, isPipeline: boolean): string => {
  if (!isPipeline) return `${action}/${reason}`
  const isOfChild = action === 'finish' && ownEnds.every((end) => end !== reason)
  return `pipeline:${action}/${isOfChild ? 'a reason of a child' : reason}`
}

const rowsOfPipeline: Record<PipelineRow, true> = {
  'pipeline:nothing/Finished': true,
  'pipeline:deleteSource/AfterSuccess': true,
  'pipeline:wait/Suspended': true,
  'pipeline:wait/WaitingForChildren': true,
  'pipeline:wait/ChildrenStopping': true,
  'pipeline:heal/PhaseEdited': true,
  'pipeline:heal/Resumed': true,
  'pipeline:adoptEdit/SpecEdited': true,
  'pipeline:beginStep/StepBegins': true,
  'pipeline:putChild/ChildIntended': true,
  'pipeline:noteChildren/ChildrenChanged': true,
  'pipeline:stopIntent/Cancel': true,
  'pipeline:stopIntent/DeadlineExceeded': true,
  'pipeline:stopIntent/ChildFailed': true,
  'pipeline:finish/Done': true,
  'pipeline:finish/Cancelled': true,
  'pipeline:finish/DeadlineExceeded': true,
  'pipeline:finish/StepImpossible': true,
  'pipeline:finish/a reason of a child': true,
}

/** Every row of the decision, by action and reason. A row that the type does not have, or lacks, does not compile. */
const rowsOfDecide: Record<Row, true> = {
  'nothing/Finished': true,
  'deleteSource/AfterSuccess': true,
  'wait/Suspended': true,
  'wait/Backoff': true,
  'wait/Capacity': true,
  'wait/Queued': true,
  'wait/StrayStopping': true,
  'wait/Replay': true,
  'wait/TaskStarting': true,
  'wait/TaskRunning': true,
  'wait/TaskStopping': true,
  'wait/TaskMissing': true,
  'heal/PhaseEdited': true,
  'stopTask/Cancel': true,
  'stopTask/Suspend': true,
  'stopTask/DeadlineExceeded': true,
  'stopTask/AttemptTimeout': true,
  'stopTask/StartTimeout': true,
  'stopTask/ClaimTimeout': true,
  'stopTask/HeartbeatLost': true,
  'stopTask/Stray': true,
  'stopTask/BrokenRecord': true,
  'finish/Cancelled': true,
  'finish/ParentEnded': true,
  'finish/DeadlineExceeded': true,
  'finish/BrokenRecord': true,
  'leaveLine/Suspended': true,
  'leaveLine/Finished': true,
  'enterLine/Queued': true,
  'enterLine/Backoff': true,
  'enterLine/Capacity': true,
  'adoptEdit/SpecEdited': true,
  'intend/Admitted': true,
  'intend/NothingFound': true,
  'runTask/Launch': true,
  'runTask/Replay': true,
  'recordArn/Adopted': true,
  'listPass/LaunchUnresolved': true,
  'release/Capacity': true,
  'release/NothingFound': true,
  'settle/Stopped': true,
  'settle/Lost': true,
  'settle/StartRefused': true,
  'stopIntent/Cancel': true,
  'stopIntent/Suspend': true,
  'stopIntent/DeadlineExceeded': true,
  'stopIntent/AttemptTimeout': true,
  'stopIntent/StartTimeout': true,
  'stopIntent/ClaimTimeout': true,
  'stopIntent/HeartbeatLost': true,
  'running/TaskRunning': true,
  'look/TaskUnknown': true,
}

export type Counts = { faults: Record<string, number>; rows: Record<string, number> }

export const emptyCounts = (): Counts => ({ faults: {}, rows: {} })

export function addCounts(to: Counts, from: Counts): void {
  for (const part of ['faults', 'rows'] as const)
    for (const [name, count] of Object.entries(from[part])) to[part][name] = (to[part][name] ?? 0) + count
}

export type Coverage = { name: string; kind: 'fault' | 'row'; count: number }

/** How often each fault fired and each row of the decision was reached; those that never were come first. */
export function coverage(counts: Counts): Coverage[] {
  const faults = faultNames.map(
    (name: FaultName): Coverage => ({ kind: 'fault', name, count: counts.faults[name] ?? 0 }),
  )
  const rows = Object.keys({ ...rowsOfDecide, ...rowsOfPipeline }).map(
    (name): Coverage => ({ kind: 'row', name, count: counts.rows[name] ?? 0 }),
  )
  return [...faults, ...rows].sort((a, b) => Number(a.count > 0) - Number(b.count > 0))
}
