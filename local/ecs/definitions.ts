import { clientException } from './errors.ts'
import { pageOf } from './pages.ts'
import type { DefinitionRecord } from './records.ts'
import type { ListTaskDefinitions, RegisterTaskDefinition, TaskDefinitionReference } from './requests.ts'
import { checkDefinition } from './validate.ts'
import type { World } from './world.ts'

/** RegisterTaskDefinition: the next revision of the family; numbers are never used twice. */
export async function registerTaskDefinition(world: World, request: RegisterTaskDefinition) {
  const { size, ephemeralGiB } = checkDefinition(request)
  const { family, containerDefinitions, tags, ...fields } = request
  const revision = Math.max(0, ...revisionsOf(world, family).map((one) => one.revision)) + 1
  const definition: DefinitionRecord = {
    family,
    revision,
    status: 'ACTIVE',
    registeredMs: world.clock.nowMs(),
    ...size,
    ephemeralGiB,
    containers: containerDefinitions,
    fields,
    hasTaskRole: request.taskRoleArn !== undefined,
    fargate: size !== undefined,
    tags,
  }
  put(world, definition)
  await world.store.flush()
  return { taskDefinition: definitionView(world, definition), tags }
}

export async function deregisterTaskDefinition(world: World, request: TaskDefinitionReference) {
  const reference = world.arns.definitionReference(request.taskDefinition)
  const found = reference?.revision === undefined ? undefined : definitionOf(world, request.taskDefinition)
  if (found === undefined) {
    throw clientException('The specified task definition does not exist. Name its family and revision.')
  }
  const definition: DefinitionRecord = {
    ...found,
    status: 'INACTIVE',
    deregisteredMs: found.deregisteredMs ?? world.clock.nowMs(),
  }
  put(world, definition)
  await world.store.flush()
  return { taskDefinition: definitionView(world, definition) }
}

export function describeTaskDefinition(world: World, request: TaskDefinitionReference) {
  const definition = definitionOf(world, request.taskDefinition)
  if (definition === undefined) throw clientException('Unable to describe task definition.')
  return {
    taskDefinition: definitionView(world, definition),
    tags: request.include.includes('TAGS') ? definition.tags : [],
  }
}

export function listTaskDefinitions(world: World, request: ListTaskDefinitions) {
  const { familyPrefix } = request
  const cursorOf = ({ family, revision }: DefinitionRecord) =>
    `${family}:${String(revision).padStart(9, '0')}`
  const matching = [...world.store.definitions.values()]
    .filter(({ status }) => status === request.status)
    .filter(({ family }) => familyPrefix === undefined || family === familyPrefix)
    .sort((left, right) => (cursorOf(left) < cursorOf(right) ? -1 : 1))
  if (request.sort === 'DESC') matching.reverse()
  const places = new Map(matching.map((one, index) => [one, String(index).padStart(9, '0')]))
  const { items, ...next } = pageOf(matching, (one) => places.get(one) ?? '', request)
  return {
    taskDefinitionArns: items.map(({ family, revision }) => world.arns.definition(family, revision)),
    ...next,
  }
}

/** By family (the latest ACTIVE revision), family:revision or ARN. */
export function definitionOf(world: World, reference: string): DefinitionRecord | undefined {
  const parsed = world.arns.definitionReference(reference)
  if (parsed === undefined) return undefined
  if (parsed.revision !== undefined) {
    return world.store.definitions.get(definitionKey(parsed.family, parsed.revision))
  }
  return revisionsOf(world, parsed.family)
    .filter(({ status }) => status === 'ACTIVE')
    .at(-1)
}

export const definitionKey = (family: string, revision: number): string => `${family}:${revision}`

const put = (world: World, definition: DefinitionRecord) =>
  world.store.put('definitions', definitionKey(definition.family, definition.revision), definition)

/** In the order they were registered. */
const revisionsOf = (world: World, family: string): DefinitionRecord[] =>
  [...world.store.definitions.values()].filter((one) => one.family === family)

function definitionView(world: World, definition: DefinitionRecord): Record<string, unknown> {
  const seconds = (ms: number) => ms / 1_000
  return {
    volumes: [],
    placementConstraints: [],
    ...definition.fields,
    ...(definition.cpu === undefined ? {} : { cpu: String(definition.cpu) }),
    ...(definition.memoryMiB === undefined ? {} : { memory: String(definition.memoryMiB) }),
    taskDefinitionArn: world.arns.definition(definition.family, definition.revision),
    family: definition.family,
    revision: definition.revision,
    status: definition.status,
    containerDefinitions: definition.containers.map((container) => ({
      portMappings: [],
      mountPoints: [],
      volumesFrom: [],
      ...container,
    })),
    compatibilities: definition.fargate ? ['EC2', 'FARGATE'] : ['EC2'],
    registeredAt: seconds(definition.registeredMs),
    ...(definition.deregisteredMs === undefined
      ? {}
      : { deregisteredAt: seconds(definition.deregisteredMs) }),
  }
}
