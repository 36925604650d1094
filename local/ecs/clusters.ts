import { clusterNotFound, invalidParameter } from './errors.ts'
import { pageOf } from './pages.ts'
import type { ClusterRecord } from './records.ts'
import type { CreateCluster, DescribeClusters, ListClusters } from './requests.ts'
import { checkProviders, checkStrategy, checkTags } from './validate.ts'
import type { World } from './world.ts'

/** CreateCluster: makes it, or answers with the one of that name as it is. */
export async function createCluster(world: World, request: CreateCluster) {
  if (!/^[A-Za-z0-9_-]{1,255}$/.test(request.clusterName)) {
    throw invalidParameter('clusterName has 1 to 255 letters, numbers, hyphens and underscores.')
  }
  checkProviders(request.capacityProviders)
  checkStrategy(request.defaultCapacityProviderStrategy, request.capacityProviders)
  checkTags(request.tags)
  const cluster = world.store.clusters.get(request.clusterName) ?? {
    name: request.clusterName,
    capacityProviders: request.capacityProviders,
    defaultStrategy: request.defaultCapacityProviderStrategy,
    settings: request.settings,
    tags: request.tags,
  }
  world.store.put('clusters', cluster.name, cluster)
  await world.store.flush()
  return { cluster: clusterView(world, cluster, true) }
}

export function describeClusters(world: World, request: DescribeClusters) {
  const found = request.clusters.map((reference) => {
    const name = world.arns.clusterName(reference)
    return { reference, name, cluster: world.store.clusters.get(name ?? '') }
  })
  return {
    clusters: found.flatMap(({ cluster }) =>
      cluster ? [clusterView(world, cluster, request.include.includes('TAGS'))] : [],
    ),
    failures: found.flatMap(({ reference, name, cluster }) =>
      cluster ? [] : [{ arn: name === undefined ? reference : world.arns.cluster(name), reason: 'MISSING' }],
    ),
  }
}

export function listClusters(world: World, request: ListClusters) {
  const names = [...world.store.clusters.keys()].sort((left, right) => (left < right ? -1 : 1))
  const { items, ...next } = pageOf(names, (name) => name, request)
  return { clusterArns: items.map(world.arns.cluster), ...next }
}

/** The cluster that a request means, by name or ARN. */
export function clusterOf(world: World, reference: string): ClusterRecord {
  const cluster = world.store.clusters.get(world.arns.clusterName(reference) ?? '')
  if (cluster === undefined) throw clusterNotFound()
  return cluster
}

function clusterView(world: World, cluster: ClusterRecord, hasTags: boolean) {
  const tasks = [...world.store.tasks.values()].filter((task) => task.cluster === cluster.name)
  const pending = ['PROVISIONING', 'PENDING', 'ACTIVATING']
  return {
    clusterArn: world.arns.cluster(cluster.name),
    clusterName: cluster.name,
    status: 'ACTIVE',
    registeredContainerInstancesCount: 0,
    runningTasksCount: tasks.filter(({ state }) => state === 'RUNNING').length,
    pendingTasksCount: tasks.filter(({ state }) => pending.includes(state)).length,
    activeServicesCount: 0,
    statistics: [],
    settings: cluster.settings,
    capacityProviders: cluster.capacityProviders,
    defaultCapacityProviderStrategy: cluster.defaultStrategy,
    tags: hasTags ? cluster.tags : [],
  }
}
