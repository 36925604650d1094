import type { z } from 'zod'
import { createCluster, describeClusters, listClusters } from './clusters.ts'
import {
  deregisterTaskDefinition,
  describeTaskDefinition,
  listTaskDefinitions,
  registerTaskDefinition,
} from './definitions.ts'
import { EcsError, invalidParameter, serverException, throttled, unknownOperation } from './errors.ts'
import * as requests from './requests.ts'
import { runTask } from './run-task.ts'
import type { BucketName } from './settings.ts'
import { listTagsForResource, tagResource, untagResource } from './tags.ts'
import { describeTasks, listTasks, stopTask } from './tasks.ts'
import type { Log, World } from './world.ts'

/** An answer of the service, or none at all: the caller's connection is to be destroyed. */
export type Answer = { status: number; body: unknown } | { drop: true }

type Action = { buckets: readonly BucketName[]; run(world: World, body: unknown): unknown }

/** Every action, and the token buckets it draws from; those of a row in AWS's table share one. */
const actions = new Map<string, Action>([
  ['CreateCluster', action(requests.createClusterRequest, [], createCluster)],
  ['DescribeClusters', action(requests.describeClustersRequest, [], describeClusters)],
  ['ListClusters', action(requests.listClustersRequest, [], listClusters)],
  [
    'RegisterTaskDefinition',
    action(requests.registerTaskDefinitionRequest, ['changeDefinitions'], registerTaskDefinition),
  ],
  [
    'DeregisterTaskDefinition',
    action(requests.taskDefinitionRequest, ['changeDefinitions'], deregisterTaskDefinition),
  ],
  [
    'DescribeTaskDefinition',
    action(requests.taskDefinitionRequest, ['readDefinitions'], describeTaskDefinition),
  ],
  [
    'ListTaskDefinitions',
    action(requests.listTaskDefinitionsRequest, ['readDefinitions'], listTaskDefinitions),
  ],
  ['RunTask', action(requests.runTaskRequest, ['runAndStop', 'fargateRunTask'], runTask)],
  ['StopTask', action(requests.stopTaskRequest, ['runAndStop'], stopTask)],
  ['DescribeTasks', action(requests.describeTasksRequest, ['describeAndList'], describeTasks)],
  ['ListTasks', action(requests.listTasksRequest, ['describeAndList'], listTasks)],
  ['TagResource', action(requests.tagResourceRequest, ['changeTags'], tagResource)],
  ['UntagResource', action(requests.untagResourceRequest, ['changeTags'], untagResource)],
  ['ListTagsForResource', action(requests.listTagsForResourceRequest, ['readTags'], listTagsForResource)],
])

/** One call as the service answers it: faults before, throttle, the action itself, faults after. Never rejects. */
export async function call(world: World, name: string, body: unknown, log: Log): Promise<Answer> {
  try {
    const found = actions.get(name)
    if (found === undefined) throw unknownOperation(name)
    if (await strikes(world, name, 'before')) return { drop: true }
    for (const bucket of found.buckets) if (!world.throttle.allows(bucket)) throw throttled()
    const answer = await found.run(world, body)
    if (await strikes(world, name, 'after')) return { drop: true }
    return { status: 200, body: answer }
  } catch (error) {
    if (error instanceof EcsError) return { status: error.status, body: error.body() }
    log.error({ action: name, err: error }, 'call failed')
    const answer = serverException('The local ECS failed; its log says how.')
    return { status: answer.status, body: answer.body() }
  }
}

function action<Schema extends z.ZodType>(
  schema: Schema,
  buckets: readonly BucketName[],
  run: (world: World, request: z.infer<Schema>) => unknown,
): Action {
  return {
    buckets,
    run: (world, body) => {
      const parsed = schema.safeParse(body ?? {})
      if (!parsed.success) {
        const [issue] = parsed.error.issues
        throw invalidParameter(`${issue?.path.join('.') || 'request'}: ${issue?.message}`)
      }
      return run(world, parsed.data)
    },
  }
}

/** The faults of a call at this moment; true when the connection is to be lost. */
async function strikes(world: World, name: string, when: 'before' | 'after'): Promise<boolean> {
  const { faults, clock } = world
  const isHere = (fault: { action: string }) => fault.action === '*' || fault.action === name
  const sleep = (ms: number) => new Promise<void>((resolve) => clock.setTimer(ms, resolve))

  if (when === 'before') {
    const delay = faults.strike('delay', isHere)
    if (delay) await sleep(delay.delayMs)
    const throttle = faults.strike('throttle', isHere)
    if (throttle) throw throttled(throttle.form)
  }
  if (faults.strike('error', (fault) => fault.when === when && isHere(fault))) {
    throw serverException('Internal error.')
  }
  const drop = faults.strike('drop', (fault) => fault.when === when && isHere(fault))
  if (drop === undefined) return false
  if (drop.hangMs > 0) await sleep(drop.hangMs)
  return true
}
