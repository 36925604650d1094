import type { S3Client } from '@aws-sdk/client-s3'
import type { SQSClient } from '@aws-sdk/client-sqs'
import { createDynamoModel } from '../sim/aws/dynamo.ts'
import type { Command, Service } from '../sim/aws/ports.ts'
import { createS3Model } from '../sim/aws/s3.ts'
import { createSqsModel, modelQueueUrl } from '../sim/aws/sqs.ts'
import { createRandom } from '../support/random.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'
import type { DynamoSubject } from './dynamo.contract.ts'
import { contractQueues, type SqsSubject } from './sqs.contract.ts'

/** The models as clients, on a clock of their own, in their best mood: no lag, no doubles, everything in order. */
export function modelSubjects(): { dynamo: DynamoSubject; sqs: SqsSubject; s3: Pick<S3Client, 'send'> } {
  const clock = createVirtualClock()
  const ports = { time: clock, random: createRandom(1) }
  const dynamo = createDynamoModel(ports, { indexLagMs: () => 0, readLagMs: () => 0 })
  const sqs = createSqsModel(ports, { redeliver: () => false, shuffle: false }, contractQueues)
  return {
    dynamo: client<DynamoSubject>(dynamo),
    sqs: { sqs: client<Pick<SQSClient, 'send'>>(sqs), url: modelQueueUrl, pass: clock.pass },
    s3: client(createS3Model(ports)),
  }
}

const client = <Client>(model: Service): Client =>
  ({ send: async (command: Command) => model.execute(command) }) as Client
