import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import { ECSClient } from '@aws-sdk/client-ecs'
import { S3Client } from '@aws-sdk/client-s3'
import { SQSClient } from '@aws-sdk/client-sqs'
import type { Configuration } from '../schemas/configuration.ts'
import { localCredentials } from './credentials.ts'
import { provisionBuckets } from './provision/buckets.ts'
import { provisionCluster } from './provision/cluster.ts'
import { provisionQueues } from './provision/queues.ts'
import { provisionTables } from './provision/tables.ts'

/**
 * Makes everything that the system stands on, as the infrastructure does on AWS: queues, tables, buckets with their
 * notification, cluster and worker task definition. Speaks to `endpoint` with the SDK and may be run any number of times:
 * what is as it should be is left alone.
 * @throws CannotStart for a table that an older version made with other keys or indexes
 */
export const provision = async (endpoint: string, configuration: Configuration): Promise<void> => {
  const client = { endpoint, region: configuration.AWS_REGION, credentials: localCredentials }
  const dynamodb = new DynamoDBClient(client)
  const sqs = new SQSClient(client)
  const s3 = new S3Client({ ...client, forcePathStyle: true })
  const ecs = new ECSClient(client)
  try {
    const jobsQueueArn = await provisionQueues(sqs, configuration)
    await Promise.all([
      provisionTables(dynamodb, configuration),
      provisionBuckets(s3, configuration, jobsQueueArn),
      provisionCluster(ecs, configuration),
    ])
  } finally {
    for (const one of [dynamodb, sqs, s3, ecs]) one.destroy()
  }
}
