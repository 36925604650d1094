import {
  BucketAlreadyOwnedByYou,
  type BucketLocationConstraint,
  CreateBucketCommand,
  GetBucketCorsCommand,
  GetBucketNotificationConfigurationCommand,
  PutBucketCorsCommand,
  PutBucketNotificationConfigurationCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import type { Configuration } from '../../schemas/configuration.ts'
import { uploadsCors, uploadsNotification } from '../../schemas/resources.ts'
import { covers } from './covers.ts'

/** Both buckets; the one for uploads takes PUTs from browsers and tells the jobs queue of every new object. */
export const provisionBuckets = async (
  s3: S3Client,
  { AWS_REGION, UPLOADS_BUCKET, OUTPUTS_BUCKET }: Configuration,
  jobsQueueArn: string,
): Promise<void> => {
  await provisionBucket(s3, OUTPUTS_BUCKET, AWS_REGION)
  await provisionBucket(s3, UPLOADS_BUCKET, AWS_REGION)
  await provisionCors(s3, UPLOADS_BUCKET)
  await provisionNotification(s3, UPLOADS_BUCKET, jobsQueueArn)
}

const provisionBucket = async (s3: S3Client, bucket: string, region: string): Promise<void> => {
  // us-east-1 is the one region that must not be named (S3 API reference, CreateBucket).
  const elsewhere = region !== 'us-east-1' && {
    CreateBucketConfiguration: { LocationConstraint: region as BucketLocationConstraint },
  }
  await s3.send(new CreateBucketCommand({ Bucket: bucket, ...elsewhere })).catch((error: unknown) => {
    if (!(error instanceof BucketAlreadyOwnedByYou)) throw error
  })
}

const corsRules = [
  {
    AllowedMethods: [...uploadsCors.allowedMethods],
    AllowedOrigins: [...uploadsCors.allowedOrigins],
    AllowedHeaders: [...uploadsCors.allowedHeaders],
    ExposeHeaders: [...uploadsCors.exposeHeaders],
    MaxAgeSeconds: uploadsCors.maxAgeSeconds,
  },
]

const provisionCors = async (s3: S3Client, bucket: string): Promise<void> => {
  const current = await s3.send(new GetBucketCorsCommand({ Bucket: bucket })).catch((error: unknown) => {
    if (error instanceof Error && error.name === 'NoSuchCORSConfiguration') return undefined
    throw error
  })
  if (!covers(current?.CORSRules, corsRules))
    await s3.send(new PutBucketCorsCommand({ Bucket: bucket, CORSConfiguration: { CORSRules: corsRules } }))
}

/** Setting it sends an `s3:TestEvent` each time, so it is set only when it differs. */
const provisionNotification = async (s3: S3Client, bucket: string, queueArn: string): Promise<void> => {
  const { id, events } = uploadsNotification
  const wanted = [{ Id: id, QueueArn: queueArn, Events: [...events] }]
  const current = await s3.send(new GetBucketNotificationConfigurationCommand({ Bucket: bucket }))
  if (!covers(current.QueueConfigurations, wanted))
    await s3.send(
      new PutBucketNotificationConfigurationCommand({
        Bucket: bucket,
        NotificationConfiguration: { QueueConfigurations: wanted },
      }),
    )
}
