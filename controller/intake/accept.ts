import stringify from 'safe-stable-stringify'
import type { Change } from '../../schemas/change.ts'
import { makeUid } from '../../schemas/ids.ts'
import {
  type Attempt,
  type ControllerAttributes,
  controllerAttributeNames,
  workerAttributeNames,
} from '../../schemas/job.ts'
import { priorityBonusMs, recordLimits } from '../../schemas/limits.ts'
import { summaryOf } from '../../schemas/problems.ts'
import { isSizedByInput } from '../../schemas/sizes.ts'
import type { Input, Settings } from '../../schemas/spec.ts'
import { wishesOf } from '../../schemas/wishes.ts'
import type { Policy } from '../policy.ts'
import { pipelineOf, resumed } from '../reconcile/pipeline.ts'
import type { Item } from '../store/stored.ts'
import { defaultSettings, hashSpec, type Resolved, resolveSettings } from './resolve.ts'

/** What a HEAD request said about the input object. */
export type InputSeen =
  | { is: 'unknown' }
  | { is: 'present'; etag: string; bytes?: number }
  | { is: 'missing' }

export type Acceptance = { change: Change; phase: 'Pending' | 'Failed'; reason: string; generation: number }

/** An object to ask S3 about; where etag or version are named, only what is said of that very object counts. */
export type InputToCheck = { bucket: string; key: string; etag?: string; versionId?: string }

/**
 * The input to ask S3 about before accepting: an object whose etag and version nobody gave, or whose size decides about
 * that of the task and is not known. Events of uploads bring all of it.
 */
export function inputToCheck(item: Item, policy: Policy): InputToCheck | undefined {
  const resolved = resolveSettings(String(item.jobId), item.kind, item.spec, policy)
  if (resolved.is !== 'valid') return undefined
  const { kind = '', input = {} } = resolved.settings
  const { bucket, key, etag, versionId, bytes } = input
  if (bucket === undefined || key === undefined) return undefined
  const isNamed = etag !== undefined || versionId !== undefined
  if (isNamed && (bytes !== undefined || !isSizedByInput(kind))) return undefined
  return {
    ...{ bucket, key },
    ...(etag === undefined ? {} : { etag }),
    ...(versionId === undefined ? {} : { versionId }),
  }
}

/**
 * Turns a submitted record into an accepted one, or a failed one with a sentence that names the field. A record whose uid
 * does not fit is new, whatever else stands in it; one with a fitting uid is a new generation of a finished job and keeps
 * its attempts, because numbers never restart.
 * @param random 12 or more characters `[a-z0-9]` for the uid
 */
export function accept(
  item: Item,
  old: ControllerAttributes | undefined,
  input: InputSeen,
  policy: Policy,
  nowMs: number,
  random: string,
): Acceptance {
  const jobId = String(item.jobId)
  const resolved = resolveSettings(jobId, item.kind, item.spec, policy, (named) => withSeen(named, input))
  const verdict = judge(resolved, input)
  const now = new Date(nowMs).toISOString()
  const generation = (old?.generation ?? 0) + 1
  const settings = resolved.is === 'valid' ? resolved.settings : defaultSettings(jobId)
  const phase = verdict ? 'Failed' : 'Pending'
  const wishes = wishesOf(item.spec)
  const reason = verdict?.reason ?? (wishes.suspend ? 'Suspended' : 'Queued')
  const queueRank = nowMs - settings.priority * priorityBonusMs
  const entry = { at: now, phase, reason, ...(verdict ? { message: verdict.message } : {}) } as const
  const carried = goesOn(old, settings, jobId, generation)
  const isPipeline = pipelineOf({ kind: settings.kind ?? '', fence: undefined, ...carried }) !== undefined
  const attributes: Partial<ControllerAttributes> = {
    uid: old?.uid ?? makeUid(jobId, random),
    generation,
    revision: revisionOf(item) + 1,
    reason,
    ...(verdict ? { message: verdict.message, finishedAt: now } : {}),
    settings,
    specHash: hashSpec(item.spec),
    attempts: (old?.attempts ?? []).map(closed),
    ...(old?.rollup ? { rollup: old.rollup } : {}),
    ...(old?.costUsd === undefined ? {} : { costUsd: old.costUsd }),
    counts: { failed: 0, infra: 0 },
    lastAttempt: old?.lastAttempt ?? 0,
    lastLaunch: old?.lastLaunch ?? 0,
    history: [...(old?.history ?? []), entry].slice(-recordLimits.historyKept),
    acceptedAt: now,
    ...(typeof item.sequencer === 'string' ? { sequencer: item.sequencer } : {}),
    ...carried,
    ...(phase === 'Pending' && !wishes.suspend && !wishes.cancel && !isPipeline
      ? { backlogQueue: settings.queue, rank: queueRank }
      : {}),
    queueRank,
  }
  return {
    change: {
      set: { phase, ...(isTime(item.createdAt) ? {} : { createdAt: now }), ...attributes },
      remove: [...controllerAttributeNames, ...workerAttributeNames, 'expiresAt'].filter(
        // An event may have left its sequencer since the record was read; what stood there before and is none goes.
        (name) => !Object.hasOwn(attributes, name) && (name !== 'sequencer' || item.sequencer !== undefined),
      ),
    },
    phase,
    reason,
    generation,
  }
}

/**
 * An attempt is open here only if somebody has taken its launch out of the record by hand. A task may have claimed it, so no
 * later launch may go on with its number.
 */
const closed = (attempt: Attempt): Attempt =>
  attempt.outcome === undefined ? { ...attempt, outcome: submittedAgain } : attempt

const submittedAgain: Attempt['outcome'] = {
  class: 'lost',
  reason: 'The job was submitted again by hand while this attempt was under way',
}

/**
 * A pipeline that had not succeeded and is asked for the same work again goes on with the step that had failed. Limits and
 * sizes may be others: that is what people change before they try again.
 */
function goesOn(
  old: ControllerAttributes | undefined,
  settings: Settings,
  jobId: string,
  generation: number,
): Partial<Pick<ControllerAttributes, 'pipeline'>> {
  const { kind = '' } = settings
  if (!old?.pipeline || old.history.at(-1)?.phase === 'Succeeded') return {}
  const plan = pipelineOf({ kind, fence: undefined, pipeline: old.pipeline })
  if (!plan) return {}
  return workOf(old.settings) === workOf(settings)
    ? { pipeline: resumed(old.pipeline, plan, { jobId, uid: old.uid }, generation) }
    : {}
}

/** The etag says which bytes they are; how many there are was not always written down. */
const workOf = ({ kind, input, output, params }: Settings): string | undefined =>
  stringify({ kind, input: input && { ...input, bytes: undefined }, output, params })

/** A revision that somebody else wrote may be anything; one that cannot grow would make every condition on it worthless. */
const revisionOf = ({ revision }: Item): number =>
  typeof revision === 'number' && Number.isInteger(revision) && revision >= 0 && revision < 2 ** 50
    ? revision
    : 0

const isTime = (value: unknown): boolean => typeof value === 'string' && !Number.isNaN(Date.parse(value))

function judge(resolved: Resolved, input: InputSeen): { reason: string; message: string } | undefined {
  if (resolved.is === 'invalid')
    return { reason: 'InvalidSpec', message: summaryOf(resolved.problems, recordLimits.messageCharacters) }
  if (resolved.is === 'tooBig')
    return { reason: 'TooBig', message: summaryOf([resolved.problem], recordLimits.messageCharacters) }
  if (input.is === 'missing') {
    const { bucket, key } = resolved.settings.input ?? {}
    return {
      reason: 'InputMissing',
      message: `spec.input: there is no object ${key} in bucket ${bucket}`.slice(
        0,
        recordLimits.messageCharacters,
      ),
    }
  }
  return undefined
}

/** What was named wins over what was seen; an object that was named by its version is known by that. */
const withSeen = (named: Input, seen: InputSeen): Input =>
  seen.is !== 'present'
    ? named
    : {
        ...(named.versionId === undefined ? { etag: seen.etag } : {}),
        ...(seen.bytes === undefined ? {} : { bytes: seen.bytes }),
        ...named,
      }
