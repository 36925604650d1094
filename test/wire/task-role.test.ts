import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { GetQueueUrlCommand } from '@aws-sdk/client-sqs'
import { GetCommand } from '@aws-sdk/lib-dynamodb'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { createClients } from '../../controller/clients.ts'
import { localCredentials } from '../../local/credentials.ts'
import { readConfiguration } from '../../schemas/read-configuration.ts'
import { openS3Client, openTable } from '../../worker/clients.ts'
import { startTestAws, type TestAws } from '../support/local-aws.ts'

// On ECS nobody sets keys: the agent offers those of the task role at an address that stands in the environment (ECS developer
// guide, task IAM role).

let aws: TestAws
let agent: Server
let asked = 0

beforeAll(async () => {
  aws = await startTestAws()
  agent = createServer((_request, response) => {
    asked += 1
    response.setHeader('content-type', 'application/json').end(
      JSON.stringify({
        AccessKeyId: localCredentials.accessKeyId,
        SecretAccessKey: localCredentials.secretAccessKey,
        Token: 'token-of-the-task',
        Expiration: new Date(Date.now() + 3_600_000).toISOString(),
      }),
    )
  }).listen(0, '127.0.0.1')
  await once(agent, 'listening')
})
afterAll(async () => {
  agent.close()
  await aws.close()
})
afterEach(() => vi.unstubAllEnvs())

/** The environment of a task: no keys, no home, and the address of the agent. */
const inTask = () => {
  asked = 0
  const { port } = agent.address() as AddressInfo
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_PROFILE'])
    vi.stubEnv(name, '')
  vi.stubEnv('HOME', '/nonexistent')
  vi.stubEnv('AWS_CONTAINER_CREDENTIALS_FULL_URI', `http://127.0.0.1:${port}/role`)
}

test('the controller signs with the keys of its task role', async () => {
  inTask()
  const read = readConfiguration(aws.environment, {})
  if (!read.ok) throw new Error(JSON.stringify(read.problems))
  const clients = createClients(read.configuration)
  await clients.sqs.send(new GetQueueUrlCommand({ QueueName: 'jobs' }))
  expect(asked).toBe(1)
  clients.destroy()
})

test('the worker signs with the keys of its task role', async () => {
  inTask()
  const place = { AWS_REGION: 'us-east-1', AWS_ENDPOINT_URL: aws.endpoint }
  const table = openTable(place)
  await table.send(new GetCommand({ TableName: 'jobs', Key: { jobId: 'a' } }))
  expect(asked).toBe(1)
  const s3 = await openS3Client(place)
  await expect(s3.config.credentials()).resolves.toMatchObject({ sessionToken: 'token-of-the-task' })
  expect(asked).toBe(2)
  table.destroy()
  s3.destroy()
})
