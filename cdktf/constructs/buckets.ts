import { S3Bucket } from '@cdktf/provider-aws/lib/s3-bucket/index.js'
import { S3BucketCorsConfiguration } from '@cdktf/provider-aws/lib/s3-bucket-cors-configuration/index.js'
import { S3BucketLifecycleConfiguration } from '@cdktf/provider-aws/lib/s3-bucket-lifecycle-configuration/index.js'
import { S3BucketOwnershipControls } from '@cdktf/provider-aws/lib/s3-bucket-ownership-controls/index.js'
import { S3BucketPolicy } from '@cdktf/provider-aws/lib/s3-bucket-policy/index.js'
import { S3BucketPublicAccessBlock } from '@cdktf/provider-aws/lib/s3-bucket-public-access-block/index.js'
import { S3BucketServerSideEncryptionConfigurationA } from '@cdktf/provider-aws/lib/s3-bucket-server-side-encryption-configuration/index.js'
import { S3BucketVersioningA } from '@cdktf/provider-aws/lib/s3-bucket-versioning/index.js'
import { Construct } from 'constructs'
import { bucketNames, uploadsCors, workPrefix } from '../../schemas/resources.ts'
import type { Config } from '../schema.ts'
import type { Account } from './account.ts'
import { policyDocument } from './policy.ts'

export type Bucket = { name: string; arn: string; exists: boolean }

/** Where users upload to and where results go. A bucket that exists already is used as it is. */
export class Buckets extends Construct {
  readonly uploads: Bucket
  readonly outputs: Bucket

  constructor(scope: Construct, id: string, config: Config, account: Account) {
    super(scope, id)
    const names = bucketNames(config.installation, account.id, config.region)
    const { uploads, outputs } = config.existingBuckets
    this.uploads =
      uploads === undefined
        ? this.make('uploads', names.uploads, config, config.uploadsExpireDays)
        : existing(account, uploads)
    this.outputs =
      outputs === undefined
        ? this.make('outputs', names.outputs, config, config.outputsExpireDays)
        : existing(account, outputs)
    if (!this.uploads.exists)
      new S3BucketCorsConfiguration(this, 'uploads-cors', {
        bucket: this.uploads.name,
        corsRule: [
          {
            allowedMethods: [...uploadsCors.allowedMethods],
            allowedOrigins: [...uploadsCors.allowedOrigins],
            allowedHeaders: [...uploadsCors.allowedHeaders],
            exposeHeaders: [...uploadsCors.exposeHeaders],
            maxAgeSeconds: uploadsCors.maxAgeSeconds,
          },
        ],
      })
  }

  private make(id: string, name: string, config: Config, expireDays: number | undefined): Bucket {
    const bucket = new S3Bucket(this, id, {
      bucket: name,
      forceDestroy: !config.protectData,
      ...(config.protectData && { lifecycle: { preventDestroy: true } }),
    })
    const block = new S3BucketPublicAccessBlock(this, `${id}-private`, {
      bucket: bucket.id,
      blockPublicAcls: true,
      blockPublicPolicy: true,
      ignorePublicAcls: true,
      restrictPublicBuckets: true,
    })
    new S3BucketOwnershipControls(this, `${id}-ownership`, {
      bucket: bucket.id,
      rule: { objectOwnership: 'BucketOwnerEnforced' },
    })
    new S3BucketServerSideEncryptionConfigurationA(this, `${id}-encryption`, {
      bucket: bucket.id,
      rule: [{ applyServerSideEncryptionByDefault: { sseAlgorithm: 'AES256' } }],
    })
    const versioning = new S3BucketVersioningA(this, `${id}-versioning`, {
      bucket: bucket.id,
      versioningConfiguration: { status: versioningStatus[config.versioning] },
    })
    new S3BucketLifecycleConfiguration(this, `${id}-lifecycle`, {
      bucket: bucket.id,
      rule: [...lifecycleRules(expireDays), ...(id === 'outputs' ? [forgottenWork] : [])],
      // Rules about versions are refused while S3 does not know yet that there are any.
      dependsOn: [versioning],
    })
    new S3BucketPolicy(this, `${id}-policy`, {
      bucket: bucket.id,
      policy: policyDocument([
        {
          sid: 'OnlyOverTls',
          effect: 'Deny',
          principals: '*',
          actions: ['s3:*'],
          resources: [bucket.arn, `${bucket.arn}/*`],
          conditions: { Bool: { 'aws:SecureTransport': 'false' } },
        },
      ]),
      // S3 refuses two changes of a bucket's access at the same time.
      dependsOn: [block],
    })
    return { name: bucket.bucket, arn: bucket.arn, exists: false }
  }
}

const existing = (account: Account, name: string): Bucket => ({
  name,
  arn: `arn:${account.partition}:s3:::${name}`,
  exists: true,
})

const versioningStatus = { disabled: 'Disabled', enabled: 'Enabled', suspended: 'Suspended' } as const

/**
 * Pipelines delete it themselves when they end, within 30 days; the first is for those whose record somebody removed. Where the
 * bucket keeps versions, what they have deleted would still be paid for.
 */
const forgottenWork = {
  id: 'forgotten-work',
  status: 'Enabled',
  filter: [{ prefix: workPrefix }],
  expiration: [{ days: 31 }],
  noncurrentVersionExpiration: [{ noncurrentDays: 1 }],
}

/** What nobody sees still costs: parts of uploads that were given up, and old versions. */
const lifecycleRules = (expireDays: number | undefined) => [
  {
    id: 'unfinished-uploads',
    status: 'Enabled',
    filter: [{ prefix: '' }],
    abortIncompleteMultipartUpload: [{ daysAfterInitiation: 3 }],
  },
  {
    id: 'old-versions',
    status: 'Enabled',
    filter: [{ prefix: '' }],
    noncurrentVersionExpiration: [{ noncurrentDays: 30 }],
  },
  ...(expireDays === undefined
    ? []
    : [
        {
          id: 'expiry',
          status: 'Enabled',
          filter: [{ prefix: '' }],
          expiration: [{ days: expireDays }],
        },
      ]),
]
