import { add, put, remove, set } from '../mutate.ts'
import { blocksOf, type Resource, refersTo, type Stack } from '../stack.ts'
import type { Finding, Rule } from './rule.ts'

const buckets = (stack: Stack) => stack.of('aws_s3_bucket')

/** What belongs to a bucket, by its type. */
const partOf = (stack: Stack, type: string, bucket: Resource): Resource | undefined =>
  stack.of(type).find(({ values }) => refersTo(values.bucket, bucket))

const eachBucket = (stack: Stack, problemOf: (bucket: Resource) => string | undefined): Finding[] =>
  buckets(stack).flatMap((bucket) => {
    const problem = problemOf(bucket)
    return problem === undefined ? [] : [{ address: bucket.address, problem }]
  })

const blocks = [
  'block_public_acls',
  'block_public_policy',
  'ignore_public_acls',
  'restrict_public_buckets',
] as const

const isPrivate: Rule = {
  name: 's3/isPrivate',
  says: 'buckets refuse the public in all four ways',
  check: (stack) =>
    eachBucket(stack, (bucket) => {
      const block = partOf(stack, 'aws_s3_bucket_public_access_block', bucket)
      const open = blocks.filter((name) => block?.values[name] !== true)
      return open.length === 0
        ? undefined
        : `may become public: public access block with ${open.join(', ')} = true`
    }),
  mutants: [
    { says: 'no block', change: (json) => remove(json, 'aws_s3_bucket_public_access_block') },
    {
      says: 'three of the four',
      change: (json) => set(json, 'aws_s3_bucket_public_access_block', 'restrict_public_buckets', false),
    },
  ],
}

const encrypted: Rule = {
  name: 's3/encrypted',
  says: 'buckets encrypt what is put into them',
  check: (stack) =>
    eachBucket(stack, (bucket) => {
      const encryption = partOf(stack, 'aws_s3_bucket_server_side_encryption_configuration', bucket)
      const algorithm = blocksOf(encryption?.values.rule).flatMap((rule) =>
        blocksOf(rule.apply_server_side_encryption_by_default).map(({ sse_algorithm }) => sse_algorithm),
      )[0]
      return algorithm === 'AES256' || algorithm === 'aws:kms'
        ? undefined
        : 'has no encryption of its own: server side encryption AES256 or aws:kms'
    }),
  mutants: [
    {
      says: 'no encryption',
      change: (json) => remove(json, 'aws_s3_bucket_server_side_encryption_configuration'),
    },
  ],
}

const owned: Rule = {
  name: 's3/owned',
  says: 'who owns the bucket owns what is in it, and access lists are off',
  check: (stack) => [
    ...eachBucket(stack, (bucket) => {
      const controls = partOf(stack, 'aws_s3_bucket_ownership_controls', bucket)
      return blocksOf(controls?.values.rule).some(
        ({ object_ownership }) => object_ownership === 'BucketOwnerEnforced',
      )
        ? undefined
        : 'takes access lists: ownership controls with BucketOwnerEnforced'
    }),
    ...stack
      .of('aws_s3_bucket_acl')
      .map(({ address }) => ({ address, problem: 'is an access list: a policy of the bucket instead' })),
  ],
  mutants: [
    {
      says: 'whoever writes an object owns it',
      change: (json) =>
        set(json, 'aws_s3_bucket_ownership_controls', 'rule.object_ownership', 'ObjectWriter'),
    },
    {
      says: 'an access list',
      change: (json) => add(json, 'aws_s3_bucket_acl', 'open', { bucket: 'x', acl: 'private' }),
    },
  ],
}

const versioned: Rule = {
  name: 's3/versioned',
  says: 'whether a bucket keeps old versions is said, and if it does they end some day',
  check: (stack) =>
    eachBucket(stack, (bucket) => {
      const versioning = partOf(stack, 'aws_s3_bucket_versioning', bucket)
      const [status] = blocksOf(versioning?.values.versioning_configuration).map((one) => one.status)
      if (status === undefined) return 'leaves versioning to chance: an aws_s3_bucket_versioning for it'
      const expires = lifecycleRules(stack, bucket).some(
        (rule) =>
          blocksOf(rule.noncurrent_version_expiration).length > 0 &&
          blocksOf(rule.filter).every(({ prefix }) => prefix === ''),
      )
      return status !== 'Enabled' || expires
        ? undefined
        : 'keeps old versions for ever: noncurrent_version_expiration in its lifecycle'
    }),
  mutants: [
    { says: 'not said', change: (json) => remove(json, 'aws_s3_bucket_versioning') },
    {
      says: 'old versions for ever',
      change: (json) => {
        for (const lifecycle of Object.values(json.resource?.aws_s3_bucket_lifecycle_configuration ?? {}))
          lifecycle.rule = blocksOf(lifecycle.rule).filter(
            (rule) => rule.noncurrent_version_expiration === undefined,
          )
      },
    },
  ],
}

const lifecycleRules = (stack: Stack, bucket: Resource) =>
  blocksOf(partOf(stack, 'aws_s3_bucket_lifecycle_configuration', bucket)?.values.rule).filter(
    ({ status }) => status === 'Enabled',
  )

const cleaned: Rule = {
  name: 's3/cleaned',
  says: 'parts of uploads that were given up do not cost for ever',
  check: (stack) =>
    eachBucket(stack, (bucket) =>
      lifecycleRules(stack, bucket).some(
        (rule) => blocksOf(rule.abort_incomplete_multipart_upload).length > 0,
      )
        ? undefined
        : 'keeps unfinished uploads for ever: abort_incomplete_multipart_upload in its lifecycle',
    ),
  mutants: [
    {
      says: 'the rule is there and off',
      of: 'dev, public',
      change: (json) => {
        for (const lifecycle of Object.values(json.resource?.aws_s3_bucket_lifecycle_configuration ?? {}))
          for (const rule of blocksOf(lifecycle.rule))
            if (rule.abort_incomplete_multipart_upload !== undefined) rule.status = 'Disabled'
      },
    },
  ],
}

const cors: Rule = {
  name: 's3/cors',
  says: 'web pages may upload and read by a link, and nothing else',
  check: (stack) =>
    stack.of('aws_s3_bucket_cors_configuration').flatMap(({ address, values }) => {
      const methods = blocksOf(values.cors_rule).flatMap((rule) => [rule.allowed_methods].flat().map(String))
      const more = methods.filter((method) => !['GET', 'HEAD', 'PUT'].includes(method))
      return more.length === 0
        ? []
        : [{ address, problem: `lets pages ${more.join(', ')}: only GET, HEAD and PUT are used` }]
    }),
  mutants: [
    {
      says: 'pages may delete',
      change: (json) =>
        set(json, 'aws_s3_bucket_cors_configuration', 'cors_rule.0.allowed_methods', ['PUT', 'DELETE']),
    },
  ],
}

const kept: Rule = {
  name: 's3/kept',
  says: 'in production nothing that users own goes away with a command',
  check: (stack) => {
    const isProtected = stack
      .of('aws_dynamodb_table')
      .some(({ values }) => values.deletion_protection_enabled === true)
    if (!isProtected) return []
    return stack
      .of('aws_s3_bucket', 'aws_dynamodb_table')
      .flatMap(({ address, values }): Finding[] => [
        ...(values.force_destroy === true
          ? [{ address, problem: 'is emptied when it is destroyed: force_destroy = false' }]
          : []),
        ...(blocksOf(values.lifecycle).some(({ prevent_destroy }) => prevent_destroy === true)
          ? []
          : [{ address, problem: 'is destroyed by a plan that says so: lifecycle prevent_destroy' }]),
      ])
  },
  mutants: [
    { says: 'a bucket that is emptied', change: (json) => put(json, 'aws_s3_bucket', 'force_destroy', true) },
    {
      says: 'a bucket that may be destroyed',
      change: (json) => set(json, 'aws_s3_bucket', 'lifecycle', undefined),
    },
    {
      says: 'a table that may be destroyed',
      change: (json) => set(json, 'aws_dynamodb_table', 'lifecycle', undefined),
    },
  ],
}

export const s3Rules: Rule[] = [isPrivate, encrypted, owned, versioned, cleaned, cors, kept]
