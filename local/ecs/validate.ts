import { fargateEphemeralStorage, isFargateSize } from '../../schemas/fargate.ts'
import { clientException, EcsError, invalidParameter } from './errors.ts'
import type { ClusterRecord, DefinitionRecord } from './records.ts'
import type { ContainerDefinition, RegisterTaskDefinition, RunTask, StrategyItem, Tag } from './requests.ts'

/** The rules of requests, as checks that return or throw. Sources: ECS API reference, each action's parameters and errors. */

const name = /^[A-Za-z0-9_-]{1,255}$/
const overridesMaxCharacters = 8_192
const stopTimeout = { minS: 2, maxS: 120 }

export type Size = { cpu: number; memoryMiB: number }

/** A definition's size and storage; the size is absent when only other launch types need none. */
export function checkDefinition(request: RegisterTaskDefinition): { size?: Size; ephemeralGiB: number } {
  if (!name.test(request.family)) throw clientException('Family contains invalid characters.')
  checkContainers(request.containerDefinitions)
  checkTags(request.tags)
  const ephemeralGiB = checkEphemeralStorage(request.ephemeralStorage?.sizeInGiB)
  if (request.requiresCompatibilities.includes('FARGATE')) {
    if (request.networkMode !== 'awsvpc') {
      throw clientException('Fargate only supports network mode ‘awsvpc’.')
    }
    return { size: checkSize(request.cpu, request.memory), ephemeralGiB }
  }
  return { ephemeralGiB }
}

function checkContainers(containers: readonly ContainerDefinition[]): void {
  if (containers.length === 0) throw clientException('Container list cannot be empty.')
  for (const container of containers) {
    if (!name.test(container.name)) throw clientException('Container.name contains invalid characters.')
    if (container.image === '') throw clientException('Container.image should not be null or empty.')
    const { stopTimeout: stopS } = container
    if (stopS !== undefined && (stopS < stopTimeout.minS || stopS > stopTimeout.maxS)) {
      throw clientException(
        `Container '${container.name}' has stopTimeout ${stopS}; it must be between ${stopTimeout.minS} and ${stopTimeout.maxS} seconds.`,
      )
    }
  }
  if (new Set(containers.map((container) => container.name)).size < containers.length) {
    throw clientException('Container names must be unique within a task definition.')
  }
  if (!containers.some(({ essential }) => essential)) {
    throw clientException('At least one container of a task definition must be essential.')
  }
}

/** CPU and memory as they may be written (`256`, `.25 vCPU`, `1024`, `1 GB`), if Fargate has that pair. */
export function checkSize(cpu: string | undefined, memory: string | undefined): Size {
  const size = { cpu: amount(cpu, 'vcpu'), memoryMiB: amount(memory, 'gb') }
  if (cpu === undefined || memory === undefined) {
    throw clientException('Fargate requires task definition to have execution cpu and memory.')
  }
  if (!isFargateSize(size.cpu, size.memoryMiB)) {
    throw clientException(`No Fargate configuration exists for given values: ${cpu} CPU, ${memory} memory.`)
  }
  return size
}

const amount = (text: string | undefined, unit: 'vcpu' | 'gb'): number => {
  const match = /^\s*(\d*\.?\d+)\s*([a-z]*)\s*$/i.exec(text ?? '')
  if (match === null) return Number.NaN
  if (match[2] === '') return Number(match[1])
  return match[2]?.toLowerCase() === unit ? Number(match[1]) * 1_024 : Number.NaN
}

export function checkEphemeralStorage(sizeGiB: number | undefined): number {
  const { defaultGiB, minGiB, maxGiB } = fargateEphemeralStorage
  if (sizeGiB === undefined) return defaultGiB
  if (sizeGiB < minGiB || sizeGiB > maxGiB) {
    throw clientException(`Ephemeral storage must be between ${minGiB} and ${maxGiB} GiB; got ${sizeGiB}.`)
  }
  return sizeGiB
}

export function checkTags(tags: readonly Tag[]): void {
  if (tags.length > 50) throw invalidParameter('A resource can have at most 50 tags.')
  for (const { key, value } of tags) {
    if (key.length < 1 || key.length > 128 || value.length > 256) {
      throw invalidParameter('A tag key has 1 to 128 characters, a tag value at most 256.')
    }
    if (/^aws:/i.test(key) || /^aws:/i.test(value)) {
      throw invalidParameter('The prefix aws: of tag keys and values is reserved.')
    }
  }
  if (new Set(tags.map(({ key }) => key)).size < tags.length) {
    throw invalidParameter('Duplicate tag keys are not allowed.')
  }
}

/** What a RunTask request must be whatever the cluster and the definition are. */
export function checkRunTask(request: RunTask): void {
  if (request.count < 1 || request.count > 10) throw invalidParameter('count must be between 1 and 10.')
  if (request.clientToken !== undefined && !/^[\x21-\x7e]{1,64}$/.test(request.clientToken)) {
    throw invalidParameter('clientToken must be 1 to 64 ASCII characters in the range 33-126.')
  }
  if (request.startedBy !== undefined && !/^[A-Za-z0-9/_-]{0,128}$/.test(request.startedBy)) {
    throw invalidParameter(
      request.startedBy.length > 128
        ? 'startedBy longer than 128.'
        : 'startedBy may contain letters, numbers, hyphens, forward slashes and underscores only.',
    )
  }
  if (JSON.stringify(request.overrides).length > overridesMaxCharacters) {
    throw invalidParameter(`Container Overrides length must be at most ${overridesMaxCharacters}`)
  }
  if (request.launchType !== undefined && request.capacityProviderStrategy.length > 0) {
    throw invalidParameter(
      'Specifying both a launch type and capacity provider strategy is not supported. Remove one and try again.',
    )
  }
  if (request.propagateTags === 'SERVICE') {
    throw invalidParameter('propagateTags SERVICE is not supported when running a task.')
  }
  const { platformVersion } = request
  if (platformVersion !== undefined && !['LATEST', '1.4.0', '1.3.0'].includes(platformVersion)) {
    throw new EcsError('PlatformUnknownException', `The platform version ${platformVersion} does not exist.`)
  }
  checkTags(request.tags)
  checkNetwork(request)
}

function checkNetwork({ networkConfiguration }: RunTask): void {
  const network = networkConfiguration?.awsvpcConfiguration
  if (network === undefined) {
    throw invalidParameter("Network Configuration must be provided when networkMode 'awsvpc' is specified.")
  }
  if (network.subnets.length < 1 || network.subnets.length > 16) {
    throw invalidParameter('subnets must have 1 to 16 elements.')
  }
  if (network.securityGroups.length > 5) {
    throw invalidParameter('securityGroups can have at most 5 elements.')
  }
  const { assignPublicIp } = network
  if (assignPublicIp !== undefined && !['ENABLED', 'DISABLED'].includes(assignPublicIp)) {
    throw invalidParameter('assignPublicIp must be ENABLED or DISABLED.')
  }
}

/** What a RunTask request must be for this definition; the size its tasks get. */
export function checkAgainstDefinition(request: RunTask, definition: DefinitionRecord): Size {
  if (definition.status !== 'ACTIVE') throw clientException('TaskDefinition is inactive')
  if (!definition.fargate) {
    throw invalidParameter('Task definition does not support launch_type FARGATE.')
  }
  const { overrides } = request
  for (const override of overrides.containerOverrides ?? []) {
    if (!definition.containers.some((container) => container.name === override.name)) {
      throw invalidParameter(
        `Override for container named ${override.name} is not a container in the TaskDefinition.`,
      )
    }
  }
  if (request.enableExecuteCommand && !definition.hasTaskRole && overrides.taskRoleArn === undefined) {
    throw invalidParameter('enableExecuteCommand needs a task role in the task definition or the overrides.')
  }
  checkEphemeralStorage(overrides.ephemeralStorage?.sizeInGiB)
  return checkSize(overrides.cpu ?? String(definition.cpu), overrides.memory ?? String(definition.memoryMiB))
}

/** The strategy that applies: the request's, or the cluster's when it names neither strategy nor launch type. */
export function strategyFor(request: RunTask, cluster: ClusterRecord): readonly StrategyItem[] {
  if (request.launchType === 'FARGATE') return []
  const strategy =
    request.capacityProviderStrategy.length > 0 ? request.capacityProviderStrategy : cluster.defaultStrategy
  if (request.launchType !== undefined || strategy.length === 0) {
    throw invalidParameter('No Container Instances were found in your cluster.')
  }
  checkStrategy(strategy, cluster.capacityProviders)
  return strategy
}

export function checkStrategy(strategy: readonly StrategyItem[], providers: readonly string[]): void {
  if (strategy.length > 20) throw invalidParameter('A strategy can have at most 20 capacity providers.')
  for (const { capacityProvider, weight, base } of strategy) {
    if (!providers.includes(capacityProvider)) {
      throw invalidParameter(
        `The specified capacity provider '${capacityProvider}' was not found or is not associated with the cluster.`,
      )
    }
    if (weight < 0 || weight > 1_000 || base < 0 || base > 100_000) {
      throw invalidParameter('weight must be between 0 and 1000, base between 0 and 100000.')
    }
  }
  if (strategy.filter(({ base }) => base > 0).length > 1) {
    throw invalidParameter('Only one capacity provider of a strategy can have a base.')
  }
  if (strategy.length > 0 && strategy.every(({ weight }) => weight === 0)) {
    throw invalidParameter('At least one capacity provider of a strategy needs a weight greater than 0.')
  }
}

export function checkProviders(providers: readonly string[]): void {
  const unknown = providers.find((provider) => provider !== 'FARGATE' && provider !== 'FARGATE_SPOT')
  if (unknown !== undefined)
    throw invalidParameter(`The specified capacity provider '${unknown}' was not found.`)
}
