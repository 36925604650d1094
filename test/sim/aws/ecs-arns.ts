import { invalidParameter } from './ecs-errors.ts'
import type { TaskRecord, World } from './ecs-records.ts'

const region = 'us-east-1'
const account = '000000000000'
const prefix = `arn:aws:ecs:${region}:${account}:`

export const clusterArn = (cluster: string): string => `${prefix}cluster/${cluster}`
export const taskArn = (cluster: string, id: string): string => `${prefix}task/${cluster}/${id}`
export const containerArn = (cluster: string, id: string, index: number): string =>
  `${prefix}container/${cluster}/${id}/00000000-0000-4000-8000-${String(index).padStart(12, '0')}`
export const definitionArn = (family: string, revision: number): string =>
  `${prefix}task-definition/${family}:${revision}`

/** `family`, `family:revision` or the ARN of one; undefined for anything else. */
export function readDefinition(
  reference: string,
): { family: string; revision: number | undefined } | undefined {
  const name = reference.startsWith('arn:') ? afterPrefix(reference, `${prefix}task-definition/`) : reference
  const [, family, revision] = /^([\w-]+)(?::([1-9]\d*))?$/.exec(name ?? '') ?? []
  if (family === undefined) return undefined
  return { family, revision: revision === undefined ? undefined : Number(revision) }
}

/** The name behind a name or ARN of a cluster. */
export const readCluster = (reference: string): string | undefined =>
  reference.startsWith('arn:') ? afterPrefix(reference, `${prefix}cluster/`) : reference

/**
 * The task that an id or ARN means, and the ARN by which it is called MISSING when there is none.
 * @throws InvalidParameterException for what cannot be the ARN of a task of this cluster: one such spoils the whole call
 */
export function findTask(world: World, reference: string): { arn: string; task: TaskRecord | undefined } {
  const known = world.byArn.get(reference)
  if (known) return { arn: reference, task: known }
  const { cluster } = world.settings
  const id = reference.startsWith('arn:') ? idIn(reference, cluster) : (reference.split('/').at(-1) ?? '')
  if (id.length !== 32 && id.length !== 36) throw invalidParameter('taskId length should be one of [32,36]')
  const arn = taskArn(cluster, id)
  return { arn: reference.startsWith('arn:') ? reference : arn, task: world.byArn.get(arn) }
}

function idIn(arn: string, cluster: string): string {
  const [, , service, arnRegion, arnAccount, resource = ''] = arn.split(':')
  const [type, ...path] = resource.split('/')
  if (service !== 'ecs' || type !== 'task')
    throw invalidParameter('Invalid identifier: Task Identifier is invalid')
  if (arnAccount !== account || arnRegion !== region) {
    throw invalidParameter(
      `Invalid identifier: Identifier is for ${arnAccount}. Your accountId is ${account}`,
    )
  }
  const [named, id] = path.length > 1 ? path : [cluster, path[0]]
  if (named !== cluster) {
    throw invalidParameter(
      `Invalid identifier: Identifier is for cluster ${named}. Your cluster is ${cluster}`,
    )
  }
  return id ?? ''
}

const afterPrefix = (text: string, start: string): string | undefined =>
  text.startsWith(start) ? text.slice(start.length) : undefined
