import { DescribeTasksCommand, StopTaskCommand } from '@aws-sdk/client-ecs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createClients } from '../../controller/clients.ts'
import { isThrottled } from '../../controller/run/throttled.ts'
import { readConfiguration } from '../../schemas/read-configuration.ts'
import { startTestAws, type TestAws } from '../support/local-aws.ts'

const named = (name: string, message = 'no', more: object = {}): Error =>
  Object.assign(new Error(message), { name, ...more })

test.each<[string, unknown, boolean]>([
  ['ECS, DynamoDB, Logs', named('ThrottlingException'), true],
  ['EC2 by its own name', named('RequestLimitExceeded'), true],
  ['DynamoDB, a hot key', named('ProvisionedThroughputExceededException'), true],
  ['SQS', named('RequestThrottled'), true],
  ['S3', named('SlowDown'), true],
  ['any service by its status', named('Whatever', 'no', { $metadata: { httpStatusCode: 429 } }), true],
  ['ECS about another service', named('InvalidParameterException', 'Rate exceeded for ENI'), true],
  ['a wrong parameter', named('InvalidParameterException', 'No such subnet'), false],
  ['a limit of how many there may be', named('LimitExceededException'), false],
  ['a service at fault', named('ServerException', 'no', { $metadata: { httpStatusCode: 500 } }), false],
  ['no permission', named('AccessDeniedException'), false],
  ['nothing that is an error', 'ThrottlingException', false],
])('whether it was throttled: %s', (_name, error, want) => {
  expect(isThrottled(error)).toBe(want)
})

describe('the clients', () => {
  let aws: TestAws
  beforeAll(async () => {
    aws = await startTestAws()
  })
  afterAll(() => aws.close())

  const clientsOf = () => {
    const read = readConfiguration(aws.environment, {})
    if (!read.ok) throw new Error(JSON.stringify(read.problems))
    const throttles: string[] = []
    const clients = createClients(read.configuration, { onThrottled: (service) => throttles.push(service) })
    return { throttles, clients }
  }

  test.each(['plain', 'wrapped'])('tell of a throttled request, in its %s form', async (form) => {
    const { throttles, clients } = clientsOf()
    await aws.control('POST', '/faults', { kind: 'throttle', action: 'StopTask', count: 1, form })
    await expect(
      clients.ecs.send(new StopTaskCommand({ cluster: 'jobs', task: 'a'.repeat(32) })),
    ).rejects.toThrow()
    expect(throttles).toEqual(['ecs'])
    clients.destroy()
  })

  test('say nothing of an answer, nor of another error', async () => {
    const { throttles, clients } = clientsOf()
    await clients.ecs.send(new DescribeTasksCommand({ cluster: 'jobs', tasks: ['a'.repeat(32)] }))
    await expect(
      clients.ecs.send(new StopTaskCommand({ cluster: 'jobs', task: 'b'.repeat(32) })),
    ).rejects.toThrow()
    expect(throttles).toEqual([])
    clients.destroy()
  })
})
