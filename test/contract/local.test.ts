import { setTimeout as sleep } from 'node:timers/promises'
import { CreateQueueCommand } from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { startTestAws, type TestAws } from '../support/local-aws.ts'
import { registerChecks } from './check.ts'
import { differences } from './differences.ts'
import { dynamoChecks } from './dynamo.contract.ts'
import { dynamoIndexChecks } from './dynamo-index.contract.ts'
import { modelSubjects } from './model.ts'
import { compareRandomUpdates } from './random-updates.ts'
import { s3Checks } from './s3.contract.ts'
import { contractQueues, sqsChecks } from './sqs.contract.ts'

// The local AWS, over the wire, keeps the same promises as the models, but for a short list.

let aws: TestAws

beforeAll(async () => {
  aws = await startTestAws()
  for (const [name, { visibilityTimeoutS, retentionS, maxReceiveCount, deadLetters }] of Object.entries(
    contractQueues,
  ))
    await aws.clients().sqs.send(
      new CreateQueueCommand({
        QueueName: name,
        Attributes: {
          VisibilityTimeout: String(visibilityTimeoutS),
          MessageRetentionPeriod: String(retentionS),
          ...(deadLetters && {
            RedrivePolicy: JSON.stringify({
              deadLetterTargetArn: `arn:aws:sqs:us-east-1:000000000000:${deadLetters}`,
              maxReceiveCount,
            }),
          }),
        },
      }),
    )
})
afterAll(() => aws.close())

describe('DynamoDB', () => {
  registerChecks([...dynamoChecks, ...dynamoIndexChecks], () => aws.clients().documents, differences.dynamodb)

  test('300 random conditional updates are answered as by the model, and leave the same records', () =>
    compareRandomUpdates(aws.clients().documents, modelSubjects().dynamo, { seed: 20_261_122, steps: 300 }))
})

// Some wait for real seconds, each for its own queue.
describe.concurrent('SQS', () => {
  registerChecks(
    sqsChecks,
    () => ({ sqs: aws.clients().sqs, url: aws.queueUrl, pass: (ms) => sleep(ms) }),
    differences.sqs,
  )
})

describe('S3', () => {
  registerChecks(s3Checks, () => aws.clients().s3, differences.s3)
})
