import { definitionKey, definitionOf } from './definitions.ts'
import { invalidParameter } from './errors.ts'
import type { ListTagsForResource, Tag, TagResource, UntagResource } from './requests.ts'
import { checkTags } from './validate.ts'
import type { World } from './world.ts'

export async function tagResource(world: World, request: TagResource) {
  const resource = resourceOf(world, request.resourceArn)
  const added = new Set(request.tags.map(({ key }) => key))
  const tags = [...resource.tags.filter(({ key }) => !added.has(key)), ...request.tags]
  checkTags(tags)
  resource.put(tags)
  await world.store.flush()
  return {}
}

export async function untagResource(world: World, request: UntagResource) {
  const resource = resourceOf(world, request.resourceArn)
  resource.put(resource.tags.filter(({ key }) => !request.tagKeys.includes(key)))
  await world.store.flush()
  return {}
}

export function listTagsForResource(world: World, request: ListTagsForResource) {
  return { tags: resourceOf(world, request.resourceArn).tags }
}

/** Tasks, task definitions and clusters carry tags. */
function resourceOf(world: World, arn: string): { tags: readonly Tag[]; put(tags: readonly Tag[]): void } {
  const { store, arns } = world
  if (arn.startsWith('arn:')) {
    const task = store.tasks.get(arns.taskReference(arn)?.taskId ?? '')
    if (task) return { tags: task.tags, put: (tags) => store.put('tasks', task.id, { ...task, tags }) }

    const definition = definitionOf(world, arn)
    if (definition) {
      const key = definitionKey(definition.family, definition.revision)
      return { tags: definition.tags, put: (tags) => store.put('definitions', key, { ...definition, tags }) }
    }

    const cluster = store.clusters.get(arns.clusterName(arn) ?? '')
    if (cluster) {
      return { tags: cluster.tags, put: (tags) => store.put('clusters', cluster.name, { ...cluster, tags }) }
    }
  }
  throw invalidParameter('The specified resource was not found.')
}
