import { setTimeout as sleep } from 'node:timers/promises'
import {
  DescribeTasksCommand,
  RegisterTaskDefinitionCommand,
  RunTaskCommand,
  type Task,
} from '@aws-sdk/client-ecs'
import { type Message, ReceiveMessageCommand } from '@aws-sdk/client-sqs'
import type { TestAws } from '../support/local-aws.ts'

/** Everything that arrives in a queue until one message satisfies. */
export const receiveUntil = async (
  aws: TestAws,
  queue: string,
  isLast: (message: Message) => boolean,
): Promise<Message[]> => {
  const seen: Message[] = []
  while (!seen.some(isLast)) {
    const { Messages = [] } = await aws.clients().sqs.send(
      new ReceiveMessageCommand({
        QueueUrl: aws.queueUrl(queue),
        MaxNumberOfMessages: 10,
        WaitTimeSeconds: 5,
      }),
    )
    if (Messages.length === 0)
      throw new Error(`nothing more came after ${seen.map(({ Body }) => Body).join('\n')}`)
    seen.push(...Messages)
  }
  return seen
}

/** A task of one container that runs this script on the Node of this test. */
export const runScript = async (
  aws: Pick<TestAws, 'clients'>,
  family: string,
  script: string,
): Promise<string> => {
  const { ecs } = aws.clients()
  await ecs.send(
    new RegisterTaskDefinitionCommand({
      family,
      networkMode: 'awsvpc',
      requiresCompatibilities: ['FARGATE'],
      cpu: '256',
      memory: '512',
      containerDefinitions: [
        {
          name: 'main',
          image: 'node',
          command: [process.execPath, '--input-type=module', '--eval', script],
          logConfiguration: {
            logDriver: 'awslogs',
            options: {
              'awslogs-group': 'tasks',
              'awslogs-region': 'us-east-1',
              'awslogs-stream-prefix': 'task',
            },
          },
        },
      ],
    }),
  )
  const { tasks } = await ecs.send(
    new RunTaskCommand({
      cluster: 'jobs',
      taskDefinition: family,
      launchType: 'FARGATE',
      networkConfiguration: { awsvpcConfiguration: { subnets: ['subnet-1'] } },
    }),
  )
  return tasks?.[0]?.taskArn ?? ''
}

export const untilStopped = async (aws: TestAws, taskArn: string): Promise<Task> => {
  for (;;) {
    const { tasks } = await aws
      .clients()
      .ecs.send(new DescribeTasksCommand({ cluster: 'jobs', tasks: [taskArn] }))
    if (tasks?.[0]?.lastStatus === 'STOPPED') return tasks[0]
    await sleep(50)
  }
}
