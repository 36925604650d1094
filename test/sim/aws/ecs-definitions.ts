import type { DescribeTaskDefinitionCommandInput } from '@aws-sdk/client-ecs'
import { definitionArn, readDefinition } from './ecs-arns.ts'
import { clientException } from './ecs-errors.ts'
import type { Definition, EcsDefinitionSettings, World } from './ecs-records.ts'

/** DescribeTaskDefinition: the named revision whatever became of it, or the newest ACTIVE one. */
export function describeTaskDefinition(world: World, input: DescribeTaskDefinitionCommandInput): object {
  const definition = definitionOf(world, input.taskDefinition ?? '')
  if (definition === undefined) throw clientException('Unable to describe task definition.')
  const { family, revision, status, containers, logPrefix, architecture, ephemeralStorageGiB } = definition
  return {
    taskDefinition: {
      taskDefinitionArn: definitionArn(family, revision),
      family,
      revision,
      status,
      networkMode: 'awsvpc',
      requiresCompatibilities: ['FARGATE'],
      containerDefinitions: containers.map(({ name, stopTimeoutS }) => ({
        name,
        image: family,
        essential: true,
        stopTimeout: stopTimeoutS,
        ...(logPrefix === undefined
          ? {}
          : {
              logConfiguration: { logDriver: 'awslogs', options: { 'awslogs-stream-prefix': logPrefix } },
            }),
      })),
      ...(ephemeralStorageGiB === undefined ? {} : { ephemeralStorage: { sizeInGiB: ephemeralStorageGiB } }),
      ...(architecture === undefined
        ? {}
        : { runtimePlatform: { cpuArchitecture: architecture, operatingSystemFamily: 'LINUX' } }),
    },
    tags: [],
  }
}

/** By family (the newest ACTIVE revision), family:revision or ARN. */
export function definitionOf(world: World, reference: string): Definition | undefined {
  const read = readDefinition(reference)
  const revisions = world.definitions.get(read?.family ?? '') ?? []
  return read?.revision === undefined
    ? revisions.findLast(({ status }) => status === 'ACTIVE')
    : revisions.find(({ revision }) => revision === read.revision)
}

export function definitionsFrom(settings: readonly EcsDefinitionSettings[]): Map<string, Definition[]> {
  const families = new Map<string, Definition[]>()
  for (const definition of [...settings].sort((a, b) => a.revision - b.revision)) {
    const revisions = families.get(definition.family) ?? []
    families.set(definition.family, [...revisions, { ...definition, status: 'ACTIVE' }])
  }
  return families
}

/** A new revision of every family. @param retire whether the older ones become INACTIVE, as Terraform leaves them */
export function deployRevision(world: World, retire: boolean): void {
  for (const revisions of world.definitions.values()) {
    const newest = revisions.at(-1)
    if (newest === undefined) continue
    if (retire) for (const definition of revisions) definition.status = 'INACTIVE'
    revisions.push({ ...newest, revision: newest.revision + 1, status: 'ACTIVE' })
  }
}
