import {
  BucketAlreadyOwnedByYou,
  type BucketLocationConstraint,
  CreateBucketCommand,
  type Event,
  GetBucketCorsCommand,
  GetBucketNotificationConfigurationCommand,
  PutBucketCorsCommand,
  PutBucketNotificationConfigurationCommand,
  type QueueConfiguration,
  type S3Client,
} from '@aws-sdk/client-s3'
import type { Configuration } from '../../schemas/configuration.ts'
import { outputsNotification, uploadsCors, uploadsNotification } from '../../schemas/resources.ts'
import { watchesOutputs } from '../../schemas/triggers.ts'
import { covers } from './covers.ts'

/**
 * Both buckets; the one for uploads takes PUTs from browsers and tells the jobs queue of every new object, the one for outputs of
 * every manifest if a rule is about them.
 */
export const provisionBuckets = async (
  s3: S3Client,
  { AWS_REGION, UPLOADS_BUCKET, OUTPUTS_BUCKET, UPLOAD_TRIGGERS }: Configuration,
  jobsQueueArn: string,
): Promise<void> => {
  await provisionBucket(s3, OUTPUTS_BUCKET, AWS_REGION)
  await provisionBucket(s3, UPLOADS_BUCKET, AWS_REGION)
  await provisionCors(s3, UPLOADS_BUCKET)
  await provisionNotifications(s3, UPLOADS_BUCKET, [{ ...uploadsNotification, queueArn: jobsQueueArn }])
  await provisionNotifications(
    s3,
    OUTPUTS_BUCKET,
    watchesOutputs(UPLOAD_TRIGGERS) ? [{ ...outputsNotification, queueArn: jobsQueueArn }] : [],
  )
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

type Notification = { id: string; events: readonly string[]; suffix?: string; queueArn: string }

/** Setting them sends an `s3:TestEvent` each time, so they are set only when they differ. */
const provisionNotifications = async (
  s3: S3Client,
  bucket: string,
  wanted: readonly Notification[],
): Promise<void> => {
  const { QueueConfigurations: current = [] } = await s3.send(
    new GetBucketNotificationConfigurationCommand({ Bucket: bucket }),
  )
  if (!covers(current.map(notificationOf), wanted))
    await s3.send(
      new PutBucketNotificationConfigurationCommand({
        Bucket: bucket,
        NotificationConfiguration: { QueueConfigurations: wanted.map(configurationOf) },
      }),
    )
}

const configurationOf = ({ id, events, suffix, queueArn }: Notification): QueueConfiguration => ({
  Id: id,
  QueueArn: queueArn,
  Events: events as Event[],
  ...(suffix === undefined ? {} : { Filter: { Key: { FilterRules: [{ Name: 'suffix', Value: suffix }] } } }),
})

/** What S3 tells, in which the names of filters begin with a capital. */
const notificationOf = ({ Id, Events, Filter, QueueArn }: QueueConfiguration): Partial<Notification> => {
  const suffix = Filter?.Key?.FilterRules?.find(({ Name }) => Name?.toLowerCase() === 'suffix')?.Value
  return {
    ...(Id === undefined ? {} : { id: Id }),
    ...(Events === undefined ? {} : { events: Events }),
    ...(suffix === undefined ? {} : { suffix }),
    ...(QueueArn === undefined ? {} : { queueArn: QueueArn }),
  }
}
