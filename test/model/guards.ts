import { type ActPorts, act } from '../../controller/reconcile/act.ts'
import type { Action } from '../../controller/reconcile/decide.ts'
import type { RunAnswer } from '../../controller/run/answers.ts'
import type { Change } from '../../schemas/change.ts'
import type { Job } from '../../schemas/job.ts'
import { arnOf, jobOf, launchContext, nowMs, template, type WriteAction } from './bridge.ts'
import type { Setting } from './conditions.ts'
import { firstRec, type Rec } from './state.ts'

// The conditions of writes are not copied from `act`: the real one is called with a table that writes them down.

export type Written = { change: Change; guards: string[] }

/** What the real `act` writes for an action, and under which conditions. */
export async function writtenByAct(job: Job, action: Action, answer?: RunAnswer): Promise<Written> {
  let written: Written | undefined
  const jobs = {
    update: async (_jobId: string, change: Change, asRead: Record<string, unknown>) => {
      const { revision: _revision, ...set } = change.set
      written = { change: { set, remove: change.remove }, guards: Object.keys(asRead) }
      return true
    },
  }
  await act(job, { ...job }, action, { is: 'none' }, ports(jobs, answer))
  if (written === undefined) throw new Error(`act wrote nothing for ${action.do}`)
  return written
}

/** Only what these actions touch; anything else would throw. */
const ports = (jobs: unknown, answer: RunAnswer | undefined): ActPorts =>
  ({
    jobs,
    runner: { template: async () => template, runTask: async () => answer },
    memory: {
      useToken: () => true,
      setAttention: () => undefined,
      watched: () => undefined,
      dropGrant: () => true,
      grantOf: () => undefined,
    },
    pacers: {},
    clock: { nowMs: () => nowMs },
    launch: {
      ...launchContext,
      workerFamilies: { media: 'worker', internet: 'worker' },
      workerContainer: 'worker',
    },
    onAnswer: () => undefined,
    onLaunch: () => undefined,
    onMoved: () => undefined,
    onSettled: () => undefined,
  }) as unknown as ActPorts

export type GuardName = WriteAction['do'] | 'settleLost' | 'answer'
export type Guards = Readonly<Record<GuardName, readonly string[]>>

export const guardName = (action: WriteAction): GuardName =>
  action.do === 'settle' && action.reason === 'Lost' ? 'settleLost' : action.do

/** The conditions of every write, asked of the real `act` once. */
export async function readGuards(setting: Setting): Promise<Guards> {
  const times = { isOld: false, isLate: false }
  const waiting = jobOf(firstRec, times, setting)
  const live = jobOf(liveRec, times, setting)
  const asked = async (job: Job, action: Action, answer?: RunAnswer) =>
    (await writtenByAct(job, action, answer)).guards
  return {
    settle: await asked(live, { do: 'settle', reason: 'Stopped', stop: undefined }),
    settleLost: await asked(live, { do: 'settle', reason: 'Lost', stop: undefined }),
    finish: await asked(waiting, { do: 'finish', reason: 'Cancelled', phase: 'Cancelled' }),
    release: await asked(live, { do: 'release', reason: 'Capacity', notBeforeMs: undefined }),
    intend: await asked(waiting, { do: 'intend', reason: 'Admitted' }),
    recordArn: await asked(live, { do: 'recordArn', reason: 'Adopted', arn: arnOf(1) }),
    heal: await asked(live, { do: 'heal', reason: 'PhaseEdited', phase: 'Starting' }),
    leaveLine: await asked(waiting, { do: 'leaveLine', reason: 'Suspended' }),
    enterLine: await asked(waiting, { do: 'enterLine', reason: 'Queued', line: 'default', rank: 1 }),
    adoptEdit: await asked(waiting, { do: 'adoptEdit', reason: 'SpecEdited' }),
    stopIntent: await asked(live, { do: 'stopIntent', reason: 'Cancel' }),
    running: await asked(live, { do: 'running', reason: 'TaskRunning' }),
    answer: await asked(live, { do: 'runTask', reason: 'Launch' }, { is: 'task', arn: arnOf(1) }),
  }
}

const liveRec: Rec = {
  ...firstRec,
  phase: 'Starting',
  fence: 1,
  open: 1,
  launching: 'request',
  line: '',
  lastAttempt: 1,
  lastLaunch: 1,
}
