import type { Call, Verdict } from '../support/proxy.ts'
import { readUpdate, reportsDone as reporterOf } from './calls.ts'
import type { Wanted } from './jobs.ts'

/** A moment between two effects, known by the call that opens it. */
export type Window = {
  name: string
  /** Whose call it is. */
  caller: 'controller' | 'worker'
  /** Who gets SIGKILL: the caller itself, or the leader while a worker acts. */
  victim: 'caller' | 'leader'
  at: (call: Call) => boolean
  verdict: Verdict
  /** The kind of job that opens it. */
  needs: (job: Wanted) => boolean
}

const succeeds = (job: Wanted): boolean => job.ends === 'Succeeded' && job.wish === undefined
const container = (job: Wanted): boolean => job.kind === 'container' && succeeds(job)
const byMessage = (job: Wanted): boolean => container(job) && job.way === 'message'
const transcode = (job: Wanted): boolean => job.kind === 'transcode' && succeeds(job)

const sets = (attribute: string) => (call: Call) => readUpdate(call)?.sets[attribute] !== undefined
const moves = (phase: string) => (call: Call) => readUpdate(call)?.sets.phase?.S === phase
const runTask = ({ operation }: Call): boolean => operation.endsWith('.RunTask')
const reportsDone = (call: Call): boolean => reporterOf(call) !== undefined
const accepts = (call: Call): boolean => sets('uid')(call) && moves('Pending')(call)

const controller = (name: string, at: Window['at'], verdict: Verdict, needs = container): Window => ({
  ...{ name, caller: 'controller', victim: 'caller' },
  ...{ at, verdict, needs },
})
const worker = (name: string, at: Window['at'], verdict: Verdict): Window => ({
  ...{ name, caller: 'worker', victim: 'caller' },
  ...{ at, verdict, needs: transcode },
})
const leader = (name: string, at: Window['at']): Window => ({
  ...{ name, caller: 'worker', victim: 'leader' },
  ...{ at, verdict: 'pass', needs: transcode },
})

/**
 * Every window of the launch protocol. In `swallowCall` the process dies before the effect, in `swallowAnswer` after the
 * effect and before it can know.
 */
export const windows: readonly Window[] = [
  controller('accepted, reply lost', accepts, 'swallowAnswer'),
  controller('before the message is deleted', isDelete, 'swallowCall', byMessage),
  controller('before the intent', sets('fence'), 'swallowCall'),
  controller('after the intent, reply lost', sets('fence'), 'swallowAnswer'),
  controller('between intent and RunTask', runTask, 'swallowCall'),
  controller('after RunTask, reply lost', runTask, 'swallowAnswer'),
  controller('after RunTask, before the ARN', sets('taskArn'), 'swallowCall'),
  controller('after the ARN, reply lost', sets('taskArn'), 'swallowAnswer'),
  worker('before the claim', sets('claim'), 'swallowCall'),
  worker('after the claim, reply lost', sets('claim'), 'swallowAnswer'),
  leader('the leader dies at a claim', sets('claim')),
  worker('between manifest and report', reportsDone, 'swallowCall'),
  worker('between report and exit', reportsDone, 'swallowAnswer'),
  leader('the leader dies at a report', reportsDone),
  controller('before settle', moves('Succeeded'), 'swallowCall'),
  controller('after settle, reply lost', moves('Succeeded'), 'swallowAnswer'),
]

function isDelete({ operation }: Call): boolean {
  return operation === 'AmazonSQS.DeleteMessageBatch'
}
