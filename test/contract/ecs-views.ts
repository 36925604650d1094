import {
  DescribeTasksCommand,
  ListTasksCommand,
  type ListTasksCommandInput,
  type Task,
} from '@aws-sdk/client-ecs'
import { type EcsSubject, until } from './ecs-subject.ts'

export const describeAll = (subject: EcsSubject, tasks: string[]) =>
  subject.send(new DescribeTasksCommand({ cluster: 'jobs', tasks }))

/** One task that is there. */
export async function describe1(subject: EcsSubject, taskArn: string): Promise<Task> {
  const { tasks, failures } = await describeAll(subject, [taskArn])
  const [task] = tasks ?? []
  if (task === undefined) throw new Error(`no such task: ${JSON.stringify(failures)}`)
  return task
}

export const list = async (subject: EcsSubject, input: ListTasksCommandInput = {}): Promise<string[]> =>
  (await subject.send(new ListTasksCommand({ cluster: 'jobs', ...input }))).taskArns ?? []

export const untilStatus = (subject: EcsSubject, taskArn: string, status: string): Promise<Task> =>
  until(subject, async () => {
    const task = await describe1(subject, taskArn)
    if (task.lastStatus === 'STOPPED' && status !== 'STOPPED')
      throw new Error(`never ${status}: ${task.stopCode} ${task.stoppedReason}`)
    return task.lastStatus === status && task
  })

/** RUNNING, with a process that can take signals. */
export async function untilRunning(subject: EcsSubject, taskArn: string): Promise<Task> {
  const task = await untilStatus(subject, taskArn, 'RUNNING')
  await subject.ready(taskArn)
  return task
}

/** The details of a task's events, in the order of their versions, once that of its end has come. */
export async function eventsOf(
  subject: EcsSubject,
  taskArn: string,
): Promise<readonly Record<string, unknown>[]> {
  const ofTask = () => subject.events.filter((detail) => detail.taskArn === taskArn)
  await until(subject, () => ofTask().some(({ lastStatus }) => lastStatus === 'STOPPED'))
  return ofTask().sort((a, b) => Number(a.version) - Number(b.version))
}
