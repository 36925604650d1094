import {
  type ContainerDefinition,
  DescribeTaskDefinitionCommand,
  DescribeTasksCommand,
  type ECSClient,
  ListTasksCommand,
  RunTaskCommand,
  type RunTaskCommandInput,
  StopTaskCommand,
  type TaskDefinition,
} from '@aws-sdk/client-ecs'
import type { Template } from '../reconcile/launch.ts'
import {
  describeError,
  lookAt,
  type RunAnswer,
  readRunTask,
  readRunTaskError,
  type TaskLook,
} from './answers.ts'
import type { ImageChecker } from './images.ts'
import { isThrottled } from './throttled.ts'

export type Ecs = Pick<ECSClient, 'send'>

export type Runner = ReturnType<typeof createEcsRunner>

const templateMaxAgeMs = 60_000
/** Somebody may register a revision for every job. */
const templatesKept = 1000

type Images = Pick<ImageChecker, 'look'>
/** Then every image is launched unseen. */
const nobodyToAsk: Images = { look: () => Promise.resolve({ is: 'unknown' }) }

/** A task definition that is not there or cannot be launched, or an image that is not there: nothing that a retry would change. */
export class TemplateError extends Error {
  override name = 'TemplateError'
  readonly reason: 'TaskDefinitionInvalid' | 'ImageMissing'

  constructor(message: string, reason: TemplateError['reason'] = 'TaskDefinitionInvalid') {
    super(message)
    this.reason = reason
  }
}

/** Attempts as ECS tasks. One call each; pacing, retries and what follows from an answer belong to the callers. */
export function createEcsRunner(
  ecs: Ecs,
  cluster: string,
  nowMs: () => number,
  images: Images = nobodyToAsk,
) {
  const templates = new Map<string, { found: Found; atMs: number }>()

  return {
    /** Sends a frozen request. Every outcome is an answer; nothing is thrown. */
    async runTask(request: Record<string, unknown>): Promise<RunAnswer> {
      try {
        const { tasks, failures } = await ecs.send(
          new RunTaskCommand(request as unknown as RunTaskCommandInput),
        )
        return readRunTask(tasks ?? [], failures ?? [])
      } catch (error) {
        return readRunTaskError(error)
      }
    },

    /** At most 100 ARNs. Tasks that ECS does not know (too young, or forgotten) are absent from the answer. */
    describe,

    /**
     * Asks ECS to stop a task. A task that ECS has forgotten is as good as stopped; so is an ARN that names none of this
     * cluster, since users may write anything into a record.
     */
    async stop(arn: string, reason: string): Promise<void> {
      try {
        await ecs.send(new StopTaskCommand({ cluster, task: arn, reason }))
      } catch (error) {
        if (describeError(error).name !== 'InvalidParameterException' || isThrottled(error)) throw error
      }
    },

    /** One page of the ARNs in the cluster, by desired status. */
    async list(
      desiredStatus: 'RUNNING' | 'STOPPED',
      from: string | undefined,
    ): Promise<{ arns: string[]; next: string | undefined }> {
      const page = await ecs.send(
        new ListTasksCommand({
          cluster,
          desiredStatus,
          maxResults: 100,
          ...(from ? { nextToken: from } : {}),
        }),
      )
      return { arns: page.taskArns ?? [], next: page.nextToken }
    },

    /**
     * The newest revision of a family, or the named one, with the container to override.
     * @param check `images`: they have to be there as well, as far as somebody can be asked
     * @throws TemplateError when there is none, or it cannot be launched
     */
    async template(
      taskDefinition: string,
      container: string | undefined,
      check?: 'images',
    ): Promise<Template> {
      const key = JSON.stringify([taskDefinition, container])
      const known = templates.get(key)
      const isFresh = known !== undefined && nowMs() - known.atMs < templateMaxAgeMs
      const found = isFresh ? known.found : await lookUp(taskDefinition, container)
      if (!isFresh) {
        if (templates.size >= templatesKept) templates.clear()
        templates.set(key, { found, atMs: nowMs() })
      }
      if (check !== 'images') return found.template
      // Whoever is told that an image is missing registers another revision and tries again at once.
      return await withImages(found, images).catch((error: unknown) => {
        templates.delete(key)
        throw error
      })
    },
  }

  /**
   * One ARN that ECS cannot read (users may write anything into a record) spoils the whole call: then each half is asked
   * for by itself, until the bad one stands alone. It is absent, like a task that is not known.
   */
  async function describe(arns: readonly string[]): Promise<Map<string, TaskLook>> {
    try {
      const { tasks } = await ecs.send(new DescribeTasksCommand({ cluster, tasks: [...arns] }))
      return new Map((tasks ?? []).map((task) => [task.taskArn ?? '', lookAt(task, nowMs())]))
    } catch (error) {
      if (describeError(error).name !== 'InvalidParameterException' || isThrottled(error)) throw error
      if (arns.length <= 1) return new Map()
      const middle = Math.ceil(arns.length / 2)
      const halves = await Promise.all([describe(arns.slice(0, middle)), describe(arns.slice(middle))])
      return new Map(halves.flatMap((half) => [...half]))
    }
  }

  async function lookUp(name: string, wanted: string | undefined): Promise<Found> {
    const definition = await ecs
      .send(new DescribeTaskDefinitionCommand({ taskDefinition: name }))
      .then((answer) => answer.taskDefinition)
      .catch((error: unknown) => {
        if (describeError(error).name === 'ClientException')
          throw new TemplateError(`There is no task definition ${name}; register it first`)
        throw error
      })
    if (definition?.status !== undefined && definition.status !== 'ACTIVE')
      throw new TemplateError(`Task definition ${name} is ${definition.status}`)
    const why = definition && whyNotFargate(definition)
    if (why !== undefined)
      throw new TemplateError(
        `Task definition ${name} ${why}; register a revision with requiresCompatibilities FARGATE and networkMode awsvpc`,
      )
    const containers = definition?.containerDefinitions ?? []
    const container = wanted === undefined ? containers[0] : containers.find(({ name: of }) => of === wanted)
    if (definition?.family === undefined || container?.name === undefined)
      throw new TemplateError(
        `Task definition ${name} has no container ${wanted ?? ''}; it has: ${containers.map(({ name: of }) => of).join(', ')}`,
      )
    const template: Template = {
      taskDefinition: `${definition.family}:${definition.revision}`,
      container: container.name,
      logPrefix: container.logConfiguration?.options?.['awslogs-stream-prefix'],
      architecture: definition.runtimePlatform?.cpuArchitecture === 'ARM64' ? 'arm64' : 'x86_64',
      ephemeralStorageGiB: definition.ephemeralStorage?.sizeInGiB,
    }
    return { template, containers }
  }
}

type Found = { template: Template; containers: readonly ContainerDefinition[] }

/** Each of its images has to be there, or ECS would stop the task before it runs. */
async function withImages({ template, containers }: Found, images: Images): Promise<Template> {
  let imageDigest: string | undefined
  for (const { name = '', image = '' } of containers) {
    const seen = await images.look(image)
    if (seen.is === 'missing')
      throw new TemplateError(
        `Image ${image} of container ${name} in task definition ${template.taskDefinition} is not there: ${seen.why}; push it, or register a revision that names another one`,
        'ImageMissing',
      )
    if (seen.is === 'present' && name === template.container) imageDigest = seen.digest
  }
  return { ...template, imageDigest }
}

/** What ECS found it fit for when it was registered; what it does not say is left to RunTask. */
function whyNotFargate({ compatibilities, networkMode }: TaskDefinition): string | undefined {
  if (compatibilities !== undefined && !compatibilities.includes('FARGATE'))
    return `is for ${compatibilities.join(', ')}, and tasks run on Fargate`
  return networkMode === undefined || networkMode === 'awsvpc'
    ? undefined
    : `has network mode ${networkMode}, and Fargate has awsvpc only`
}
