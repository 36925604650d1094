import { DynamodbTable } from '@cdktf/provider-aws/lib/dynamodb-table/index.js'
import { Testing } from 'cdktf'
import { expect, test } from 'vitest'
import './matchers.ts'
import { Tables } from '../../cdktf/constructs/tables.ts'
import { resourceNames } from '../../schemas/resources.ts'

const tables = (protectData: boolean) =>
  Testing.synthScope((scope) => {
    new Tables(scope, 'tables', resourceNames('dev-'), { protectData })
  })

test('jobs has its two indexes, keys only, and lets tombstones expire', () => {
  expect(tables(false)).toHaveResourceWithProperties(DynamodbTable, {
    name: 'dev-jobs',
    billing_mode: 'PAY_PER_REQUEST',
    hash_key: 'jobId',
    attribute: [
      { name: 'jobId', type: 'S' },
      { name: 'phase', type: 'S' },
      { name: 'createdAt', type: 'S' },
      { name: 'backlogQueue', type: 'S' },
      { name: 'rank', type: 'N' },
    ],
    global_secondary_index: [
      { name: 'phase-index', hash_key: 'phase', range_key: 'createdAt', projection_type: 'KEYS_ONLY' },
      { name: 'backlog-index', hash_key: 'backlogQueue', range_key: 'rank', projection_type: 'KEYS_ONLY' },
    ],
    ttl: { attribute_name: 'expiresAt', enabled: true },
  })
})

test.each(['dev-jobs', 'dev-control'])('%s can be put back to any second of the last weeks', (name) => {
  expect(tables(false)).toHaveResourceWithProperties(DynamodbTable, {
    name,
    point_in_time_recovery: { enabled: true },
  })
})

test.each(['dev-jobs', 'dev-control'])('%s refuses to be deleted where data is protected', (name) => {
  expect(tables(true)).toHaveResourceWithProperties(DynamodbTable, {
    name,
    deletion_protection_enabled: true,
    lifecycle: { prevent_destroy: true },
  })
  expect(tables(false)).toHaveResourceWithProperties(DynamodbTable, {
    name,
    deletion_protection_enabled: false,
  })
  expect(tables(false)).not.toHaveResourceWithProperties(DynamodbTable, {
    name,
    lifecycle: expect.anything(),
  })
})
