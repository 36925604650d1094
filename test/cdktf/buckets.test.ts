import { S3Bucket } from '@cdktf/provider-aws/lib/s3-bucket/index.js'
import { S3BucketCorsConfiguration } from '@cdktf/provider-aws/lib/s3-bucket-cors-configuration/index.js'
import { S3BucketLifecycleConfiguration } from '@cdktf/provider-aws/lib/s3-bucket-lifecycle-configuration/index.js'
import { S3BucketPolicy } from '@cdktf/provider-aws/lib/s3-bucket-policy/index.js'
import { S3BucketPublicAccessBlock } from '@cdktf/provider-aws/lib/s3-bucket-public-access-block/index.js'
import { S3BucketServerSideEncryptionConfigurationA } from '@cdktf/provider-aws/lib/s3-bucket-server-side-encryption-configuration/index.js'
import { S3BucketVersioningA } from '@cdktf/provider-aws/lib/s3-bucket-versioning/index.js'
import { describe, expect, test } from 'vitest'
import './matchers.ts'
import { synthesized, synthesizedText } from '../support/synthesized.ts'

const dev = synthesizedText('dev')
const prod = synthesizedText('prod')
const bucketOf = (which: string) => expect.stringMatching(new RegExp(`aws_s3_bucket\\.buckets_${which}_`))

describe.each(['uploads', 'outputs'])('the bucket for %s', (which) => {
  test('is named after installation, account and region', () => {
    expect(dev).toHaveResourceWithProperties(S3Bucket, {
      bucket: expect.stringMatching(
        new RegExp(`^dev-\\$\\{data\\.aws_caller_identity\\.\\w+\\.account_id\\}-us-east-1-${which}$`),
      ),
    })
  })

  test('is private, encrypted, and speaks TLS only', () => {
    expect(dev).toHaveResourceWithProperties(S3BucketPublicAccessBlock, {
      bucket: bucketOf(which),
      block_public_acls: true,
      block_public_policy: true,
      ignore_public_acls: true,
      restrict_public_buckets: true,
    })
    expect(dev).toHaveResourceWithProperties(S3BucketServerSideEncryptionConfigurationA, {
      bucket: bucketOf(which),
      rule: [{ apply_server_side_encryption_by_default: { sse_algorithm: 'AES256' } }],
    })
    expect(dev).toHaveResourceWithProperties(S3BucketPolicy, {
      bucket: bucketOf(which),
      policy: expect.stringMatching(/"Effect":"Deny".*"aws:SecureTransport":"false"/),
    })
  })

  test('has versions where the environment wants them', () => {
    const properties = (status: string) => ({ bucket: bucketOf(which), versioning_configuration: { status } })
    expect(dev).toHaveResourceWithProperties(S3BucketVersioningA, properties('Disabled'))
    expect(prod).toHaveResourceWithProperties(S3BucketVersioningA, properties('Enabled'))
  })

  test('is emptied and removed with dev, and refuses that in prod', () => {
    expect(dev).toHaveResourceWithProperties(S3Bucket, {
      bucket: expect.stringContaining(which),
      force_destroy: true,
    })
    expect(prod).toHaveResourceWithProperties(S3Bucket, {
      bucket: expect.stringContaining(which),
      force_destroy: false,
      lifecycle: { prevent_destroy: true },
    })
  })
})

const everything = [{ prefix: '' }]
const housekeeping = [
  {
    id: 'unfinished-uploads',
    status: 'Enabled',
    filter: everything,
    abort_incomplete_multipart_upload: [{ days_after_initiation: 3 }],
  },
  {
    id: 'old-versions',
    status: 'Enabled',
    filter: everything,
    noncurrent_version_expiration: [{ noncurrent_days: 30 }],
  },
]

const forgottenWork = {
  id: 'forgotten-work',
  status: 'Enabled',
  filter: [{ prefix: 'work/' }],
  expiration: [{ days: 31 }],
  noncurrent_version_expiration: [{ noncurrent_days: 1 }],
}

test('objects expire in dev, and never by themselves in prod but for what pipelines left', () => {
  for (const [which, days] of [
    ['uploads', 14],
    ['outputs', 30],
  ] as const) {
    const left = which === 'outputs' ? [forgottenWork] : []
    expect(dev).toHaveResourceWithProperties(S3BucketLifecycleConfiguration, {
      bucket: bucketOf(which),
      rule: [
        ...housekeeping,
        { id: 'expiry', status: 'Enabled', filter: everything, expiration: [{ days }] },
        ...left,
      ],
    })
    expect(prod).toHaveResourceWithProperties(S3BucketLifecycleConfiguration, {
      bucket: bucketOf(which),
      rule: [...housekeeping, ...left],
    })
  }
})

test('a browser may upload to the bucket for uploads, and to no other', () => {
  expect(dev).toHaveResourceWithProperties(S3BucketCorsConfiguration, {
    bucket: bucketOf('uploads'),
    cors_rule: [
      expect.objectContaining({ allowed_methods: ['PUT', 'GET', 'HEAD'], expose_headers: ['ETag'] }),
    ],
  })
  expect(dev).not.toHaveResourceWithProperties(S3BucketCorsConfiguration, { bucket: bucketOf('outputs') })
})

test('nothing about a bucket that exists already is changed', () => {
  const { resource, output } = synthesized('prod', {
    EXISTING_UPLOADS_BUCKET: 'their-uploads',
    EXISTING_OUTPUTS_BUCKET: 'their-outputs',
  })
  expect(Object.keys(resource).filter((type) => type.startsWith('aws_s3_'))).toEqual([])
  expect(output).toMatchObject({
    uploads_bucket: { value: 'their-uploads' },
    outputs_bucket: { value: 'their-outputs' },
    uploads_need: { value: expect.stringContaining('EventBridge') },
  })
})
