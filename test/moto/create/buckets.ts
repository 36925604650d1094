import type { Block } from '../../support/synthesized.ts'
import { call, list, type Maker, one, pascal, tagList } from '../calls.ts'

const publicAccess = (block: Block) => ({
  BlockPublicAcls: block.block_public_acls,
  IgnorePublicAcls: block.ignore_public_acls,
  BlockPublicPolicy: block.block_public_policy,
  RestrictPublicBuckets: block.restrict_public_buckets,
})

const encryptionRules = (block: Block) =>
  list(block.rule).map((rule) => ({
    ApplyServerSideEncryptionByDefault: {
      SSEAlgorithm: one(rule.apply_server_side_encryption_by_default).sse_algorithm,
    },
  }))

const lifecycleRules = (block: Block) =>
  list(block.rule).map(({ id, status, filter, ...actions }) => ({
    ID: id,
    Status: status,
    Filter: pascal(one(filter)),
    ...Object.fromEntries(
      Object.entries(pascal(actions) as Block).map(([name, action]) => [name, one(action)]),
    ),
  }))

const notifications = (block: Block) =>
  list(block.queue).map(({ id, queue_arn, events }) => ({ Id: id, QueueArn: queue_arn, Events: events }))

const versioningOf = (block: Block) => one(block.versioning_configuration).status

export const buckets: Record<string, Maker> = {
  aws_s3_bucket: {
    // Where the stack is, us-east-1, is the one region that must not be named (S3 API reference, CreateBucket).
    *create(bucket) {
      yield call('s3', 'CreateBucket', { Bucket: bucket.bucket })
      yield call('s3', 'PutBucketTagging', { Bucket: bucket.bucket, Tagging: { TagSet: tagList(bucket) } })
      return { id: bucket.bucket, arn: `arn:aws:s3:::${bucket.bucket}` }
    },
    looks: ({ bucket }) => [{ call: call('s3', 'HeadBucket', { Bucket: bucket }), at: '', wanted: {} }],
  },

  aws_s3_bucket_public_access_block: {
    *create(block) {
      yield call('s3', 'PutPublicAccessBlock', {
        Bucket: block.bucket,
        PublicAccessBlockConfiguration: publicAccess(block),
      })
      return {}
    },
    looks: (block) => [
      {
        call: call('s3', 'GetPublicAccessBlock', { Bucket: block.bucket }),
        at: 'PublicAccessBlockConfiguration',
        wanted: publicAccess(block),
      },
    ],
  },

  aws_s3_bucket_ownership_controls: {
    *create({ bucket, rule }) {
      yield call('s3', 'PutBucketOwnershipControls', {
        Bucket: bucket,
        OwnershipControls: { Rules: [pascal(one(rule))] },
      })
      return {}
    },
    looks: ({ bucket, rule }) => [
      {
        call: call('s3', 'GetBucketOwnershipControls', { Bucket: bucket }),
        at: 'OwnershipControls.Rules',
        wanted: [pascal(one(rule))],
      },
    ],
  },

  aws_s3_bucket_server_side_encryption_configuration: {
    *create(block) {
      yield call('s3', 'PutBucketEncryption', {
        Bucket: block.bucket,
        ServerSideEncryptionConfiguration: { Rules: encryptionRules(block) },
      })
      return {}
    },
    looks: (block) => [
      {
        call: call('s3', 'GetBucketEncryption', { Bucket: block.bucket }),
        at: 'ServerSideEncryptionConfiguration.Rules',
        wanted: encryptionRules(block),
      },
    ],
  },

  aws_s3_bucket_versioning: {
    *create(block) {
      const status = versioningOf(block)
      // A new bucket has none, and `Disabled` is no word of the API.
      if (status !== 'Disabled')
        yield call('s3', 'PutBucketVersioning', {
          Bucket: block.bucket,
          VersioningConfiguration: { Status: status },
        })
      return { id: block.bucket }
    },
    looks: (block) => [
      {
        call: call('s3', 'GetBucketVersioning', { Bucket: block.bucket }),
        at: 'Status',
        wanted: versioningOf(block) === 'Disabled' ? undefined : versioningOf(block),
      },
    ],
  },

  aws_s3_bucket_lifecycle_configuration: {
    *create(block) {
      yield call('s3', 'PutBucketLifecycleConfiguration', {
        Bucket: block.bucket,
        LifecycleConfiguration: { Rules: lifecycleRules(block) },
      })
      return {}
    },
    looks: (block) => [
      {
        call: call('s3', 'GetBucketLifecycleConfiguration', { Bucket: block.bucket }),
        at: 'Rules',
        wanted: lifecycleRules(block),
      },
    ],
  },

  aws_s3_bucket_cors_configuration: {
    *create({ bucket, cors_rule }) {
      yield call('s3', 'PutBucketCors', {
        Bucket: bucket,
        CORSConfiguration: { CORSRules: pascal(cors_rule) },
      })
      return {}
    },
    looks: ({ bucket, cors_rule }) => [
      { call: call('s3', 'GetBucketCors', { Bucket: bucket }), at: 'CORSRules', wanted: pascal(cors_rule) },
    ],
  },

  aws_s3_bucket_policy: {
    *create({ bucket, policy }) {
      yield call('s3', 'PutBucketPolicy', { Bucket: bucket, Policy: policy })
      return {}
    },
    looks: ({ bucket, policy }) => [
      { call: call('s3', 'GetBucketPolicy', { Bucket: bucket }), at: 'Policy', wanted: policy },
    ],
  },

  aws_s3_bucket_notification: {
    *create(block) {
      yield call('s3', 'PutBucketNotificationConfiguration', {
        Bucket: block.bucket,
        NotificationConfiguration: { QueueConfigurations: notifications(block) },
      })
      return {}
    },
    looks: (block) => [
      {
        call: call('s3', 'GetBucketNotificationConfiguration', { Bucket: block.bucket }),
        at: 'QueueConfigurations',
        wanted: notifications(block),
      },
    ],
  },
}
