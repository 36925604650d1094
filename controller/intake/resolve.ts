import stringify from 'safe-stable-stringify'
import { z } from 'zod'
import { fargateTiers, isFargateSize, sizeNear } from '../../schemas/fargate.ts'
import { shortHash } from '../../schemas/ids.ts'
import type { ContainerParams } from '../../schemas/kinds/container.ts'
import { type Kind, kindNames, kinds, userKinds } from '../../schemas/kinds/index.ts'
import { jobIdPattern, specDefaults } from '../../schemas/limits.ts'
import { parseSafely } from '../../schemas/parse-safely.ts'
import { type Problem, problemsOf } from '../../schemas/problems.ts'
import { sizeFor, tooLargeFor, tooSmallDiskFor } from '../../schemas/sizes.ts'
import { type Input, type Settings, type Spec, specSchema } from '../../schemas/spec.ts'
import { type Policy, vcpuCeiling } from '../policy.ts'

export type Resolved =
  | { is: 'valid'; settings: Settings }
  | { is: 'invalid'; problems: Problem[] }
  | { is: 'tooBig'; problem: Problem }

/**
 * A hash of what a user asked for, whatever the order of its attributes. Cancel and suspend are wishes about the job, not
 * about its work, and do not count.
 */
export function hashSpec(spec: unknown): string {
  const { cancel: _cancel, suspend: _suspend, ...work } = isObject(spec) ? spec : { spec }
  return shortHash(stringify(work) ?? '', 16)
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * What applies to a job: its spec, then its kind, then the defaults. Total: any `kind` and `spec` from anywhere gives
 * settings or a list of problems that name the field, the value and the rule.
 * @param withFound adds what was found out about the input, by which the task is sized
 */
export function resolveSettings(
  jobId: string,
  kind: unknown,
  spec: unknown,
  policy: Policy,
  withFound: (input: Input) => Input = (input) => input,
): Resolved {
  const named = parseSafely(namedSchema, { jobId, kind })
  if (!named.success) return { is: 'invalid', problems: problemsOf(named.error, { jobId, kind }) }
  const known = kinds[named.data.kind]
  const parsed = parseSafely(specSchema, spec ?? {})
  if (!parsed.success) return { is: 'invalid', problems: problemsOf(parsed.error, spec, ['spec']) }
  const { kind: name } = named.data
  if (known.isStep && parsed.data.parent === undefined)
    return {
      is: 'invalid',
      problems: [{ field: 'kind', value: name, rule: 'is a step of a pipeline, and no job of its own' }],
    }
  const params = parseSafely(known.params, parsed.data.params ?? {})
  if (!params.success)
    return { is: 'invalid', problems: problemsOf(params.error, parsed.data.params ?? {}, ['spec', 'params']) }
  const { input, ...asked } = parsed.data
  const whole = input === undefined ? asked : { ...asked, input: withFound(input) }
  const ceilingOf = (queue: string): number => vcpuCeiling(policy, queue)
  const settings = { kind: name, ...withDefaults(jobId, name, whole, params.data, ceilingOf) }
  const problem = contradictionIn(settings, name, policy)
  if (problem) return { is: 'invalid', problems: [problem] }
  const tooLarge = tooLargeFor(name, settings.input?.bytes)
  if (tooLarge) return { is: 'tooBig', problem: tooLarge }
  const vcpu = settings.resources.cpu / 1024
  const ceiling = vcpuCeiling(policy, settings.queue)
  if (vcpu > ceiling) {
    const rule = `it needs ${vcpu} vCPU, and queue ${settings.queue} never has more than ${ceiling}; raise MAX_VCPU or ask for less`
    return {
      is: 'tooBig',
      problem: { field: 'spec.resources.cpu', value: String(settings.resources.cpu), rule },
    }
  }
  return { is: 'valid', settings }
}

/**
 * An edit that leaves the input alone must not lose the etag and the size that were found at acceptance.
 * @param before what it was until now
 */
export function withKnown(named: Input, before: Input | undefined): Input {
  const { bucket, key, versionId, etag, bytes } = before ?? {}
  const isSame =
    named.bucket === bucket &&
    named.key === key &&
    named.versionId === versionId &&
    (named.etag === undefined || named.etag === etag)
  if (!isSame) return named
  return { ...(etag === undefined ? {} : { etag }), ...(bytes === undefined ? {} : { bytes }), ...named }
}

const namedSchema = z.object({
  jobId: z.string().regex(jobIdPattern, {
    error: 'must be 1 to 64 letters, digits, _ and -, starting with a letter or digit',
  }),
  kind: z.enum(kindNames, { error: `must be one of: ${userKinds.join(', ')}` }),
})

/** Of a job that never runs: it still has a time after which it is reaped. */
export const defaultSettings = (jobId: string): Settings => withDefaults(jobId, 'container', {}, {})

function withDefaults(
  jobId: string,
  kind: keyof typeof kinds,
  spec: Spec,
  params: Record<string, unknown>,
  ceilingOf: (queue: string) => number = () => Number.POSITIVE_INFINITY,
): Settings {
  const known: Kind = kinds[kind]
  const queue = spec.queue ?? specDefaults.queue
  const sized = sizeFor(kind, { bytes: spec.input?.bytes, params })
  // A size of our choice must not make a job wait for ever, and half a choice of the user is one of theirs.
  const isOurs = spec.resources?.cpu === undefined && spec.resources?.memory === undefined
  const preset =
    isOurs && (sized.cpu ?? 0) / 1024 <= ceilingOf(queue) ? { ...known.resources, ...sized } : known.resources
  const ephemeralStorage = spec.resources?.ephemeralStorage ?? sized.ephemeralStorage
  const { cpu, memoryMiB: memory } = sizeNear(
    { cpu: preset.cpu, memoryMiB: preset.memory },
    { cpu: spec.resources?.cpu, memoryMiB: spec.resources?.memory },
  )
  const limits = spec.limits ?? {}
  return {
    ...(spec.input ? { input: spec.input } : {}),
    output: spec.output ?? `results/${jobId}/`,
    params,
    queue,
    priority: spec.priority ?? specDefaults.priority,
    resources: {
      cpu,
      memory,
      ...(ephemeralStorage === undefined ? {} : { ephemeralStorage }),
      capacity: spec.resources?.capacity ?? 'on-demand',
    },
    limits: {
      attempts: limits.attempts ?? specDefaults.attempts,
      infrastructureAttempts: limits.infrastructureAttempts ?? specDefaults.infrastructureAttempts,
      startTimeout: limits.startTimeout ?? specDefaults.startTimeoutS,
      attemptTimeout:
        limits.attemptTimeout ?? Math.max(specDefaults.attemptTimeoutS, known.takesS?.(params) ?? 0),
      deadline: limits.deadline ?? specDefaults.deadlineS,
      heartbeatTimeout: limits.heartbeatTimeout ?? specDefaults.heartbeatTimeoutS,
      backoff: {
        initial:
          limits.backoff?.initial ?? Math.min(specDefaults.backoffInitialS, limits.backoff?.max ?? 3600),
        max: limits.backoff?.max ?? Math.max(specDefaults.backoffMaxS, limits.backoff?.initial ?? 0),
      },
      maxMemory: limits.maxMemory ?? Math.min(4 * memory, 122_880),
    },
    failurePolicy: spec.failurePolicy ?? [],
    ttlAfterFinished: spec.ttlAfterFinished ?? specDefaults.ttlAfterFinishedS,
    ...(spec.afterSuccess === 'delete' ? { afterSuccess: 'delete' } : {}),
    labels: spec.labels ?? {},
    ...(spec.parent === undefined ? {} : { parent: spec.parent }),
    ...((known.pipeline ?? known.splits) && spec.resources ? { stepResources: spec.resources } : {}),
  }
}

const familyOf = ({ taskDefinition }: ContainerParams): string => taskDefinition.split(':')[0] ?? ''

/** Only the very object that was worked on may be deleted, and that is told by its etag, found out where only the key is named. */
const isDeletable = (input: Settings['input'], { uploadsBucket }: Policy): boolean =>
  input?.bucket === uploadsBucket && (input.etag !== undefined || input.versionId === undefined)

/** Whether it is a task of ECS, which has a size. */
const isTask = (kind: keyof typeof kinds): boolean =>
  kinds[kind].pipeline === undefined && kinds[kind].runner === undefined

/** Transcribe API reference, OutputKey. */
const transcribeKeys = /^[A-Za-z0-9\-_.!*'()/]+$/

/** Rules that need more than one field. */
function contradictionIn(settings: Settings, kind: keyof typeof kinds, policy: Policy): Problem | undefined {
  const { resources, limits } = settings
  const family = kind === 'container' ? familyOf(settings.params as ContainerParams) : undefined
  if (family !== undefined && policy.reservedFamilies.includes(family))
    return {
      field: 'spec.params.taskDefinition',
      value: family,
      rule: 'is the task definition of our own workers, whose role is not for other programs; register one of your own',
    }
  if (kinds[kind].group === 'seeding' && policy.seedingPort === undefined)
    return {
      field: 'kind',
      value: kind,
      rule: 'is off in this installation: peers have to reach its tasks, and SEEDING_PORT says by which port (docs/kinds/seed.md)',
    }
  if (isTask(kind) && !isFargateSize(resources.cpu, resources.memory))
    return {
      field: 'spec.resources',
      value: `cpu ${resources.cpu}, memory ${resources.memory}`,
      rule: memoryRule(resources.cpu),
    }
  const tooSmall = tooSmallDiskFor(kind, settings.input?.bytes, resources.ephemeralStorage)
  // Larger than any disk is another sentence.
  if (tooSmall && !tooLargeFor(kind, settings.input?.bytes)) return tooSmall
  if (!isTask(kind) && !transcribeKeys.test(settings.output))
    return {
      field: 'spec.output',
      value: settings.output,
      rule: `must be letters, digits and - _ . ! * ' ( ) / for kind ${kind}: Amazon Transcribe takes no others`,
    }
  if (settings.afterSuccess === 'delete' && !isDeletable(settings.input, policy))
    return {
      field: 'spec.afterSuccess',
      value: 'delete',
      rule: `needs an input of bucket ${policy.uploadsBucket} by its key or etag: nothing else is deleted`,
    }
  if (limits.maxMemory < resources.memory)
    return {
      field: 'spec.limits.maxMemory',
      value: String(limits.maxMemory),
      rule: `must not be below resources.memory (${resources.memory})`,
    }
  if (limits.backoff.initial > limits.backoff.max)
    return {
      field: 'spec.limits.backoff.initial',
      value: String(limits.backoff.initial),
      rule: `must not be above backoff.max (${limits.backoff.max})`,
    }
  if (!Object.hasOwn(policy.queues, settings.queue))
    return {
      field: 'spec.queue',
      value: settings.queue,
      rule: `must be one of: ${Object.keys(policy.queues).join(', ')} (QUEUES in the configuration adds more)`,
    }
  if (kinds[kind].input === 'object' && settings.input?.bucket === undefined)
    return {
      field: 'spec.input',
      value: 'nothing',
      rule: `must name bucket and key: kind ${kind} works on an S3 object`,
    }
  if (kinds[kind].input === 'url' && settings.input?.url === undefined)
    return {
      field: 'spec.input',
      value: 'nothing',
      rule: `must have url: kind ${kind} works on an address`,
    }
  return undefined
}

function memoryRule(cpu: number): string {
  const tier = fargateTiers.find((candidate) => candidate.cpu === cpu)
  if (!tier) return `cpu must be one of: ${fargateTiers.map((candidate) => candidate.cpu).join(', ')}`
  return `Fargate has ${tier.memoryMiB[0]} to ${tier.memoryMiB.at(-1)} MiB for ${cpu} CPU units, in steps: ${tier.memoryMiB.slice(0, 4).join(', ')}${tier.memoryMiB.length > 4 ? ', ...' : ''}`
}
