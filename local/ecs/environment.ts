import type { ContainerRecord, DefinitionRecord, TaskRecord } from './records.ts'
import { containerOverrideOf } from './requests.ts'
import type { Image } from './settings.ts'

export type Program = {
  command: string
  args: readonly string[]
  environment: Record<string, string>
  stopSignal: NodeJS.Signals
}

/**
 * What a container runs and finds in its environment, as ECS puts it together: the image's own, then what Fargate adds,
 * then the task definition, then the overrides; an entry point in the definition makes the image's command void. There is
 * no image on one machine, so `images` stands in for it, and anything with a command of its own needs none. Nothing of the
 * local AWS's own environment gets in except what `local` says.
 */
export function programOf(
  task: TaskRecord,
  container: ContainerRecord,
  definition: DefinitionRecord,
  local: {
    image: Image | undefined
    environment: Record<string, string>
    baseUrl: string
    scratchFolder: string
    region: string
  },
): Program | { failure: string } {
  const own = definition.containers.find(({ name }) => name === container.name)
  const override = containerOverrideOf(task.overrides, container.name)
  const entryPoint = own?.entryPoint ?? local.image?.entryPoint ?? []
  const imageCommand = own?.entryPoint ? [] : (local.image?.command ?? [])
  const [command, ...args] = [...entryPoint, ...(override?.command ?? own?.command ?? imageCommand)]
  if (command === undefined) {
    return {
      failure: `CannotStartContainerError: ResourceInitializationError: no command specified for image ${container.image}`,
    }
  }
  return {
    command,
    args,
    environment: {
      ...local.environment,
      TMPDIR: local.scratchFolder,
      WORK_DIR: local.scratchFolder,
      ...local.image?.environment,
      ECS_CONTAINER_METADATA_URI: `${local.baseUrl}/v3/${container.runtimeId}`,
      ECS_CONTAINER_METADATA_URI_V4: `${local.baseUrl}/v4/${container.runtimeId}`,
      ECS_AGENT_URI: `${local.baseUrl}/api/${container.runtimeId}`,
      AWS_EXECUTION_ENV: 'AWS_ECS_FARGATE',
      AWS_REGION: local.region,
      AWS_DEFAULT_REGION: local.region,
      ...byName(own?.environment),
      ...byName(override?.environment),
    },
    stopSignal: local.image?.stopSignal ?? 'SIGTERM',
  }
}

const byName = (
  pairs: readonly { name: string; value?: string | undefined }[] = [],
): Record<string, string> => Object.fromEntries(pairs.map(({ name, value }) => [name, value ?? '']))
