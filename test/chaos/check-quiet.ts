import { readdirSync, readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { GetQueueAttributesCommand, ReceiveMessageCommand } from '@aws-sdk/client-sqs'
import { groupMemory, groupsOfTasks } from '../../local/ecs/proc.ts'
import { resourceNames } from '../../schemas/resources.ts'
import type { TestAws } from '../support/local-aws.ts'
import { until } from '../support/wait.ts'
import type { Fleet } from './fleet.ts'
import type { TrueTask } from './tasks.ts'
import type { World } from './world.ts'

const names = resourceNames()
const quietTimeoutMs = 60_000

/** Nothing is left of what ran, while the controllers are still there. Each sentence is something wrong. */
export async function checkQuiet(
  world: World,
  fleet: Fleet,
  seen: { tasks: readonly TrueTask[]; groups: ReadonlySet<number>; rubbish: readonly string[] },
): Promise<string[]> {
  return [
    ...(await checkQueues(world.aws)),
    ...(await checkDeadLetters(world.aws, seen.rubbish)),
    ...(await checkProcesses(seen.tasks, seen.groups)),
    ...(await checkFiles(world)),
    ...(await checkLease(fleet)),
  ]
}

/** What a killed controller had received comes back once its visibility timeout is over, and is deleted then. */
async function checkQueues(aws: TestAws): Promise<string[]> {
  let left = ''
  const empty = await until(
    'empty queues',
    async () => {
      const counts = await Promise.all(
        [names.jobsQueue, names.taskEventsQueue].map(
          async (name) => `${name} ${await messagesIn(aws, name)}`,
        ),
      )
      left = counts.join(', ')
      return counts.every((count) => count.endsWith(' 0'))
    },
    quietTimeoutMs,
  ).catch(() => false)
  return empty ? [] : [`Messages are left: ${left}`]
}

async function messagesIn(aws: TestAws, name: string): Promise<number> {
  const { Attributes: attributes } = await aws
    .clients()
    .sqs.send(new GetQueueAttributesCommand({ QueueUrl: aws.queueUrl(name), AttributeNames: ['All'] }))
  return ['ApproximateNumberOfMessages', 'ApproximateNumberOfMessagesNotVisible']
    .map((attribute) => Number((attributes as Record<string, string> | undefined)?.[attribute] ?? 0))
    .reduce((sum, count) => sum + count, 0)
}

/** All that was rubbish and nothing else; some of it twice, if a controller died before it could delete the message. */
async function checkDeadLetters(aws: TestAws, rubbish: readonly string[]): Promise<string[]> {
  const found = new Set<string>()
  for (;;) {
    const { Messages: messages = [] } = await aws
      .clients()
      .sqs.send(new ReceiveMessageCommand({ QueueUrl: aws.queueUrl(names.jobsDlq), MaxNumberOfMessages: 10 }))
    for (const { Body: body = '' } of messages) found.add(body)
    if (messages.length === 0) break
  }
  return [
    ...[...found]
      .filter((body) => !rubbish.includes(body))
      .map((body) => `A good message was put aside: ${body}`),
    ...rubbish.filter((body) => !found.has(body)).map((body) => `Rubbish is in no queue: ${body}`),
  ]
}

/** By group, as the local ECS told them, and by the task id that every process of a task has in its environment. */
async function checkProcesses(tasks: readonly TrueTask[], groups: ReadonlySet<number>): Promise<string[]> {
  const byTask = () => [...groupsOfTasks(new Set(tasks.map(({ taskId }) => taskId))).values()]
  const left = () => new Set([...groupMemory(groups).keys(), ...byTask().flatMap((some) => [...some])])
  const gone = await until('no process', () => left().size === 0, 5000).catch(() => false)
  return gone ? [] : [`Process groups are left: ${[...left()].join(', ')}`]
}

/** The work folders of tasks; ECS removes each right after its task has stopped. */
async function checkFiles({ dataDir }: World): Promise<string[]> {
  const folder = join(dataDir, 'ecs', 'scratch')
  const left = () => readdir(folder).catch(() => [])
  const gone = await until('no file', async () => (await left()).length === 0, 5000).catch(() => false)
  return gone ? [] : [`Work folders are left: ${(await left()).join(', ')}`]
}

async function checkLease(fleet: Fleet): Promise<string[]> {
  const before = await fleet.lease()
  const leader = await fleet.leader().catch(() => undefined)
  await sleep(1500)
  const after = await fleet.lease()
  const leading = fleet.members.filter(({ process }) => before?.holder?.includes(`-${process.pid}-`))
  return [
    ...(leader && leading.length === 1 ? [] : [`The lease is held by ${before?.holder}, who is not there`]),
    ...((after?.version ?? 0) > (before?.version ?? 0) ? [] : ['The lease is not renewed']),
  ]
}

/** Processes that still have this AWS in their environment, once everything has been closed. */
export function strangersOf(endpoints: readonly string[]): string[] {
  return readdirSync('/proc').flatMap((name) => {
    const pid = Number(name)
    if (!Number.isInteger(pid) || pid === process.pid) return []
    try {
      const variables = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0')
      return endpoints.some((endpoint) => variables.includes(`AWS_ENDPOINT_URL=${endpoint}`))
        ? [`Process ${pid} is left: ${readFileSync(`/proc/${pid}/cmdline`, 'latin1').replaceAll('\0', ' ')}`]
        : []
    } catch {
      return []
    }
  })
}
