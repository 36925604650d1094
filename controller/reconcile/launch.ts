import type { Change } from '../../schemas/change.ts'
import {
  type Architecture,
  fargateEphemeralStorage,
  isFargateSize,
  nextLargerMemory,
} from '../../schemas/fargate.ts'
import {
  clientToken,
  type Fence,
  formatFence,
  formatStartedBy,
  shortHash,
  transcriptionJobName,
} from '../../schemas/ids.ts'
import type { Attempt, Job } from '../../schemas/job.ts'
import type { ContainerParams } from '../../schemas/kinds/container.ts'
import { groupOf, isTranscribed, type TaskGroup } from '../../schemas/kinds/index.ts'
import { type TranscriptionParams, transcriptKey } from '../../schemas/kinds/transcription.ts'
import type { FargatePrices } from '../../schemas/prices.ts'
import type { WorkerGroup } from '../../schemas/resources.ts'
import { nextLargerStorage, storageAskedFor } from '../../schemas/sizes.ts'
import type { Capacity } from '../../schemas/spec.ts'
import { fold, withHistory } from './settle.ts'

/** What a task is started from, looked up right before the intent is written. */
export type Template = {
  /** family:revision, pinned: a replay must ask for exactly the same. */
  taskDefinition: string
  container: string
  /** awslogs stream prefix of that container, where it has one. */
  logPrefix: string | undefined
  /** What costs depend on: decided by the task definition, not by the request. */
  architecture: Architecture
  ephemeralStorageGiB?: number | undefined
  /** Of the image of that container, where it could be asked for. */
  imageDigest?: string | undefined
}

/** Where a task stands in the network. */
export type Network = {
  subnets: readonly string[]
  securityGroups: readonly string[]
  assignPublicIp: 'ENABLED' | 'DISABLED'
}
export type Networks = Readonly<Record<TaskGroup, Network>>

/** What every task of this installation has in common. */
export type LaunchContext = {
  installation: string
  cluster: string
  networks: Networks
  /** Where transcripts go, and the role in which Transcribe reads and writes; absent: in the controller's own. */
  outputsBucket: string
  transcribeRoleArn: string | undefined
  /** What an attempt is priced with when it ends. */
  prices: FargatePrices
  /** The most vCPUs that a job of this queue can ever have: a larger next size would never be admitted. */
  vcpuCeiling: (queue: string) => number
}

/** Task definition families of our worker, by the group of the kind. */
export type WorkerFamilies = Readonly<Record<WorkerGroup, string>>

/** Which task definition a job wants, by family (newest revision) or family:revision. */
export function taskDefinitionOf(job: Job, families: WorkerFamilies): string {
  const group = groupOf(job.kind)
  return group === 'own' ? (job.settings.params as ContainerParams).taskDefinition : families[group]
}

/**
 * Size of the next task: what was asked for, or the next one above the largest that ran out of memory in this generation,
 * up to `maxMemory`. It is derived from those attempts alone, so an edit of the resources applies to the next attempt.
 */
export function sizeOf(
  job: Pick<Job, 'settings' | 'attempts' | 'acceptedAt'>,
  vcpuCeiling = Number.POSITIVE_INFINITY,
): { cpu: number; memory: number } {
  const { resources, limits } = job.settings
  const asked = { cpu: resources.cpu, memory: resources.memory }
  const [largest] = attemptsOfGeneration(job)
    .filter((attempt) => attempt.outcome?.class === 'outOfMemory' && attempt.memory >= asked.memory)
    .sort((a, b) => b.memory - a.memory)
  if (largest === undefined) return asked
  const cpu = Math.max(asked.cpu, largest.cpu)
  const larger = nextLargerMemory(cpu, largest.memory, limits.maxMemory)
  if (larger && larger.cpu / 1024 <= vcpuCeiling) return { cpu: larger.cpu, memory: larger.memoryMiB }
  // Nothing larger is left: as much as ran out, unless an edit has ruled that out meanwhile.
  return largest.memory <= limits.maxMemory && isFargateSize(cpu, largest.memory)
    ? { cpu, memory: largest.memory }
    : asked
}

/**
 * Disk of the next task, in GiB: what was asked for, or the next one above the largest that was too small in this
 * generation. Undefined: what the task definition says, which is 20 where it says nothing.
 */
export function storageOf(job: Pick<Job, 'settings' | 'attempts' | 'acceptedAt'>): number | undefined {
  const { ephemeralStorage: asked } = job.settings.resources
  const full = attemptsOfGeneration(job)
    .filter(({ outcome }) => outcome?.code === diskFull)
    .map(({ ephemeralStorage: had = fargateEphemeralStorage.defaultGiB, outcome }) =>
      nextLargerStorage(had, storageAskedFor(outcome?.reason ?? '')),
    )
  return full.length === 0 ? asked : Math.max(...full, asked ?? 0)
}

/** What a worker says of a disk that is too small (`worker/errors.ts`). */
const diskFull = 'DISK_FULL'

const attemptsOfGeneration = (job: Pick<Job, 'attempts' | 'acceptedAt'>): readonly Attempt[] =>
  job.attempts.filter((attempt) => Date.parse(attempt.launchedAt) >= Date.parse(job.acceptedAt))

/**
 * Capacity of the next task: after two losses, `spot-then-on-demand` goes on-demand. A loss is an attempt that Spot took
 * back or could not start, and every launch that RunTask refused for want of Spot.
 */
export function capacityOf(job: Pick<Job, 'settings' | 'attempts' | 'acceptedAt'>): 'spot' | 'on-demand' {
  const wanted: Capacity = job.settings.resources.capacity
  if (wanted !== 'spot-then-on-demand') return wanted
  const losses = attemptsOfGeneration(job).reduce(
    (sum, { outcome, spotRefusals = 0 }) => sum + spotRefusals + (outcome?.class === 'spot' ? 1 : 0),
    0,
  )
  return losses >= 2 ? 'on-demand' : 'spot'
}

/**
 * The intent of the next launch, written before RunTask is called. A launch that came to nothing keeps its attempt and
 * gets a new launch number, and with it a new token; numbers never restart in the life of a record.
 */
export function intend(job: Job, template: Template, context: LaunchContext, nowMs: number): Change {
  const open = job.attempts.find((attempt) => attempt.outcome === undefined)
  const attempt = open?.n ?? job.lastAttempt + 1
  const launch = job.lastLaunch + 1
  const fence: Fence = { uid: job.uid, attempt, launch }
  const now = new Date(nowMs).toISOString()
  const size = sizeOf(job, context.vcpuCeiling(job.settings.queue))
  const capacity = capacityOf(job)
  const network = context.networks[groupOf(job.kind)]
  const storage = storageOf(job)
  const ephemeralStorage = storage ?? template.ephemeralStorageGiB
  const entry: Attempt = {
    n: attempt,
    launches: (open?.launches ?? 0) + 1,
    runner: isTranscribed(job.kind) ? 'transcribe' : 'ecs',
    capacity,
    taskDefinition: template.taskDefinition,
    ...size,
    ...(isTranscribed(job.kind) ? { audioS: (job.settings.params as TranscriptionParams).durationS } : {}),
    ...(ephemeralStorage === undefined ? {} : { ephemeralStorage }),
    architecture: template.architecture,
    ...(template.imageDigest === undefined ? {} : { imageDigest: template.imageDigest }),
    ...(network.assignPublicIp === 'ENABLED' ? { publicIp: true } : {}),
    ...(open?.spotRefusals === undefined ? {} : { spotRefusals: open.spotRefusals }),
    launchedAt: now,
    ...(template.logPrefix === undefined
      ? {}
      : { logStream: `${template.logPrefix}/${template.container}/` }),
  }
  const ledger = fold([...job.attempts.filter((other) => other.n !== attempt), entry], job.rollup)
  const again = job.phase === 'Starting'
  return {
    set: {
      phase: 'Starting',
      reason: 'Launching',
      fence: formatFence(fence),
      launching: {
        attempt,
        launch,
        clientToken: clientToken(fence),
        request: isTranscribed(job.kind)
          ? transcriptionRequest(job, fence, context)
          : runTaskRequest(job, fence, template, context, network, { ...size, storage }, capacity),
        launchedAt: now,
      },
      lastAttempt: Math.max(job.lastAttempt, attempt),
      lastLaunch: launch,
      ...ledger,
      ...(again ? { counts: { ...job.counts, infra: job.counts.infra + 1 } } : {}),
      history: withHistory(job, 'Starting', again ? 'NothingFound' : 'Admitted', undefined, nowMs),
    },
    remove: ['claim', 'report', 'progress', 'taskArn', 'notBefore', 'message', 'backlogQueue', 'rank'],
  }
}

/** The frozen RunTask request. Built only from the record and pinned names, so that every replay is the same to the byte. */
function runTaskRequest(
  job: Job,
  fence: Fence,
  template: Template,
  context: LaunchContext,
  network: Network,
  size: { cpu: number; memory: number; storage: number | undefined },
  capacity: 'spot' | 'on-demand',
): Record<string, unknown> {
  return {
    cluster: context.cluster,
    taskDefinition: template.taskDefinition,
    count: 1,
    clientToken: clientToken(fence),
    startedBy: formatStartedBy(context.installation, job.jobId, fence),
    capacityProviderStrategy: [
      { capacityProvider: capacity === 'spot' ? 'FARGATE_SPOT' : 'FARGATE', weight: 1 },
    ],
    networkConfiguration: {
      awsvpcConfiguration: {
        subnets: subnetsFor(fence, network.subnets),
        securityGroups: [...network.securityGroups],
        assignPublicIp: network.assignPublicIp,
      },
    },
    overrides: {
      cpu: String(size.cpu),
      memory: String(size.memory),
      ...(size.storage === undefined ? {} : { ephemeralStorage: { sizeInGiB: size.storage } }),
      containerOverrides: [{ name: template.container, ...containerOverride(job, fence) }],
    },
  }
}

/** Stands where a task has its task definition. */
export const transcribeTemplate: Template = {
  taskDefinition: 'transcribe',
  container: '',
  logPrefix: undefined,
  architecture: 'x86_64',
}

/**
 * The frozen StartTranscriptionJob request. Sample rate and language are left out where they are not known for sure: a wrong
 * one fails the job (Transcribe API reference).
 */
function transcriptionRequest(
  { jobId, settings }: Job,
  fence: Fence,
  { installation, outputsBucket, transcribeRoleArn }: LaunchContext,
): Record<string, unknown> {
  const { media, language, maxSpeakers } = settings.params as TranscriptionParams
  const inputs = {
    Media: { MediaFileUri: `s3://${media.bucket}/${media.key}` },
    MediaFormat: media.format,
    ...(language === 'auto' ? { IdentifyLanguage: true } : { LanguageCode: language }),
    OutputBucketName: outputsBucket,
    OutputKey: transcriptKey(settings.output),
    ...(maxSpeakers === undefined
      ? {}
      : { Settings: { ShowSpeakerLabels: true, MaxSpeakerLabels: maxSpeakers } }),
    // Over its quota Transcribe then queues the job instead of refusing it; that takes a role.
    ...(transcribeRoleArn === undefined
      ? {}
      : { JobExecutionSettings: { AllowDeferredExecution: true, DataAccessRoleArn: transcribeRoleArn } }),
  }
  return { TranscriptionJobName: transcriptionJobName(installation, jobId, fence, inputs), ...inputs }
}

// ECS API reference, AwsVpcConfiguration.
const subnetsMax = 16

/**
 * Every subnet, in an order that begins elsewhere for each launch of a job and for different jobs. ECS does not say which
 * one it takes; with any preference for the first, one that is full or broken does not meet the same job twice.
 */
function subnetsFor({ uid, launch }: Fence, subnets: readonly string[]): string[] {
  const first = (Number.parseInt(shortHash(uid, 8), 16) + launch) % Math.max(1, subnets.length)
  return [...subnets.slice(first), ...subnets.slice(0, first)].slice(0, subnetsMax)
}

function containerOverride(job: Job, fence: Fence): Record<string, unknown> {
  const { input } = job.settings
  const environment: Record<string, string> = {
    ...(job.kind === 'container' ? (job.settings.params as ContainerParams).environment : {}),
    JOB_ID: job.jobId,
    FENCE: formatFence(fence),
    ...(input?.bucket === undefined ? {} : { S3_BUCKET: input.bucket }),
    ...(input?.key === undefined ? {} : { S3_KEY: input.key }),
  }
  const command = job.kind === 'container' ? (job.settings.params as ContainerParams).command : undefined
  return {
    ...(command ? { command } : {}),
    environment: Object.entries(environment).map(([name, value]) => ({ name, value })),
  }
}

/** vCPUs that the task of a live job takes from the limits. */
export const liveVcpu = (job: Pick<Job, 'settings' | 'attempts'>): number =>
  (job.attempts.find((attempt) => attempt.outcome === undefined)?.cpu ?? job.settings.resources.cpu) / 1024

/** What there is capacity for, or not: tasks of one capacity provider and size. */
export const capacityKey = (capacity: string, cpu: number, memory: number): string =>
  `${capacity} ${cpu}/${memory}`
