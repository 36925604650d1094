import type { CapacityProviderStrategyItem, RunTaskCommandInput } from '@aws-sdk/client-ecs'
import { isFargateSize } from '../../../schemas/fargate.ts'
import { clientException, invalidParameter } from './ecs-errors.ts'
import type { Definition } from './ecs-records.ts'

/** The rules of a RunTask request, as checks that return or throw. Source: ECS API reference, RunTask. */

const overridesMaxCharacters = 8_192
const providers = ['FARGATE', 'FARGATE_SPOT']

/** The parameters that the model has. Another one would be ignored silently, and is refused loudly instead. */
const parameters = new Set([
  'cluster',
  'taskDefinition',
  'count',
  'clientToken',
  'startedBy',
  'launchType',
  'capacityProviderStrategy',
  'networkConfiguration',
  'overrides',
])

/** What a request must be whatever its cluster and its definition are. */
export function checkRunTask(input: RunTaskCommandInput): void {
  for (const [name, value] of Object.entries(input)) {
    if (value !== undefined && !parameters.has(name))
      throw new Error(`The model of RunTask does not have the parameter ${name}`)
  }
  const { count = 1, clientToken, startedBy = '', overrides = {} } = input
  if (count < 1 || count > 10) throw invalidParameter('count must be between 1 and 10.')
  if (count > 1) throw new Error('The model of RunTask starts one task per call')
  if (clientToken !== undefined && !/^[\x21-\x7e]{1,64}$/.test(clientToken)) {
    throw invalidParameter('clientToken must be 1 to 64 ASCII characters in the range 33-126.')
  }
  if (startedBy.length > 128) throw invalidParameter('startedBy longer than 128.')
  if (!/^[A-Za-z0-9/_-]*$/.test(startedBy)) {
    throw invalidParameter(
      'startedBy may contain letters, numbers, hyphens, forward slashes and underscores only.',
    )
  }
  if (JSON.stringify(overrides).length > overridesMaxCharacters) {
    throw invalidParameter(`Container Overrides length must be at most ${overridesMaxCharacters}`)
  }
  if (input.launchType !== undefined && input.capacityProviderStrategy?.length) {
    throw invalidParameter(
      'Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.',
    )
  }
  checkNetwork(input)
}

function checkNetwork({ networkConfiguration }: RunTaskCommandInput): void {
  const network = networkConfiguration?.awsvpcConfiguration
  if (network === undefined) {
    throw invalidParameter("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
  }
  const subnets = network.subnets?.length ?? 0
  if (subnets < 1 || subnets > 16) throw invalidParameter('subnets must have 1 to 16 elements.')
  if ((network.securityGroups?.length ?? 0) > 5) {
    throw invalidParameter('securityGroups can have at most 5 elements.')
  }
}

/**
 * What follows from the definition: known containers, and a size that Fargate has.
 * @returns vCPU units and MiB
 */
export function checkAgainstDefinition(
  input: RunTaskCommandInput,
  definition: Definition,
): { cpu: number; memory: number } {
  if (definition.status !== 'ACTIVE') throw clientException('TaskDefinition is inactive')
  for (const { name } of input.overrides?.containerOverrides ?? []) {
    if (!definition.containers.some((container) => container.name === name)) {
      throw invalidParameter(`Override for container named ${name} is not a container in the TaskDefinition.`)
    }
  }
  const storageGiB = input.overrides?.ephemeralStorage?.sizeInGiB
  if (storageGiB !== undefined && (storageGiB < 21 || storageGiB > 200)) {
    throw clientException(`Ephemeral storage must be between 21 and 200 GiB; got ${storageGiB}.`)
  }
  const cpu = Number(input.overrides?.cpu ?? 256)
  const memory = Number(input.overrides?.memory ?? 512)
  if (!isFargateSize(cpu, memory)) {
    throw clientException(`No Fargate configuration exists for given values: ${cpu} CPU, ${memory} memory.`)
  }
  return { cpu, memory }
}

/** Who provides the capacity of one task; undefined by launch type. A weight is a ratio: the greatest one gets the first task. */
export function providerFor({
  launchType,
  capacityProviderStrategy = [],
}: RunTaskCommandInput): string | undefined {
  if (launchType === 'FARGATE') return undefined
  if (launchType !== undefined || capacityProviderStrategy.length === 0) {
    throw invalidParameter('No Container Instances were found in your cluster.')
  }
  for (const { capacityProvider = '' } of capacityProviderStrategy) {
    if (!providers.includes(capacityProvider)) {
      throw invalidParameter(
        `The specified capacity provider '${capacityProvider}' was not found or is not associated with the cluster.`,
      )
    }
  }
  const weightOf = ({ weight = 0 }: CapacityProviderStrategyItem) => weight
  const [first] = [...capacityProviderStrategy].sort((a, b) => weightOf(b) - weightOf(a))
  if (first === undefined || weightOf(first) === 0) {
    throw invalidParameter('At least one capacity provider of a strategy needs a weight greater than 0.')
  }
  const base = capacityProviderStrategy.find((item) => (item.base ?? 0) > 0)
  return (base ?? first).capacityProvider
}
