import { expect, test } from 'vitest'
import type { Block } from '../support/synthesized.ts'
import { type Answer, type Attributes, type Call, call } from './calls.ts'
import { makers } from './create/index.ts'

/** A block, what AWS would answer to each request in turn; and the requests, what others may then refer to. */
type Row = [type: string, block: Block, answers: Answer[], calls: Call[], attributes: Attributes]

const creationOf = (type: string, block: Block) => makers[type]?.create(block)

const tags = { Project: 'p' }

test.each<Row>([
  [
    'aws_sqs_queue',
    {
      name: 'q',
      visibility_timeout_seconds: 60,
      sqs_managed_sse_enabled: true,
      redrive_policy: '{"a":1}',
      tags,
    },
    [{ QueueUrl: 'http://q' }, { Attributes: { QueueArn: 'arn:q' } }],
    [
      call('sqs', 'CreateQueue', {
        QueueName: 'q',
        Attributes: { VisibilityTimeout: '60', SqsManagedSseEnabled: 'true', RedrivePolicy: '{"a":1}' },
        tags,
      }),
      call('sqs', 'GetQueueAttributes', { QueueUrl: 'http://q', AttributeNames: ['QueueArn'] }),
    ],
    { id: 'http://q', url: 'http://q', arn: 'arn:q' },
  ],
  [
    'aws_dynamodb_table',
    {
      name: 't',
      billing_mode: 'PAY_PER_REQUEST',
      deletion_protection_enabled: true,
      hash_key: 'id',
      attribute: [
        { name: 'id', type: 'S' },
        { name: 'rank', type: 'N' },
      ],
      global_secondary_index: [
        { name: 'i', hash_key: 'id', range_key: 'rank', projection_type: 'KEYS_ONLY' },
      ],
      point_in_time_recovery: { enabled: true },
      ttl: [{ attribute_name: 'expiresAt', enabled: true }],
    },
    [{ TableDescription: { TableArn: 'arn:t' } }, {}, {}],
    [
      call('dynamodb', 'CreateTable', {
        TableName: 't',
        KeySchema: [{ AttributeName: 'id', KeyType: 'HASH' }],
        AttributeDefinitions: [
          { AttributeName: 'id', AttributeType: 'S' },
          { AttributeName: 'rank', AttributeType: 'N' },
        ],
        GlobalSecondaryIndexes: [
          {
            IndexName: 'i',
            KeySchema: [
              { AttributeName: 'id', KeyType: 'HASH' },
              { AttributeName: 'rank', KeyType: 'RANGE' },
            ],
            Projection: { ProjectionType: 'KEYS_ONLY' },
          },
        ],
        BillingMode: 'PAY_PER_REQUEST',
        DeletionProtectionEnabled: true,
        Tags: [],
      }),
      call('dynamodb', 'UpdateContinuousBackups', {
        TableName: 't',
        PointInTimeRecoverySpecification: { PointInTimeRecoveryEnabled: true },
      }),
      call('dynamodb', 'UpdateTimeToLive', {
        TableName: 't',
        TimeToLiveSpecification: { AttributeName: 'expiresAt', Enabled: true },
      }),
    ],
    { id: 't', arn: 'arn:t' },
  ],
  [
    'aws_security_group',
    { name: 'g', description: 'd', vpc_id: 'vpc-1', tags },
    [{ GroupId: 'sg-1' }, {}],
    [
      call('ec2', 'CreateSecurityGroup', {
        GroupName: 'g',
        Description: 'd',
        VpcId: 'vpc-1',
        TagSpecifications: [{ ResourceType: 'security-group', Tags: [{ Key: 'Project', Value: 'p' }] }],
      }),
      call('ec2', 'RevokeSecurityGroupEgress', {
        GroupId: 'sg-1',
        IpPermissions: [{ IpProtocol: '-1', IpRanges: [{ CidrIp: '0.0.0.0/0' }] }],
      }),
    ],
    { id: 'sg-1' },
  ],
  [
    'aws_s3_bucket_versioning',
    { bucket: 'b', versioning_configuration: { status: 'Disabled' } },
    [],
    [],
    { id: 'b' },
  ],
  [
    'aws_s3_bucket_versioning',
    { bucket: 'b', versioning_configuration: [{ status: 'Enabled' }] },
    [{}],
    [call('s3', 'PutBucketVersioning', { Bucket: 'b', VersioningConfiguration: { Status: 'Enabled' } })],
    { id: 'b' },
  ],
  [
    'aws_s3_bucket_lifecycle_configuration',
    {
      bucket: 'b',
      rule: [{ id: 'r', status: 'Enabled', filter: [{ prefix: '' }], expiration: [{ days: 3 }] }],
    },
    [{}],
    [
      call('s3', 'PutBucketLifecycleConfiguration', {
        Bucket: 'b',
        LifecycleConfiguration: {
          Rules: [{ ID: 'r', Status: 'Enabled', Filter: { Prefix: '' }, Expiration: { Days: 3 } }],
        },
      }),
    ],
    {},
  ],
  [
    'aws_cloudwatch_metric_alarm',
    {
      alarm_name: 'a',
      ok_actions: ['arn:sns'],
      threshold: 0.5,
      metric_query: [
        {
          id: 'm',
          metric: { metric_name: 'M', namespace: 'N', period: 60, stat: 'Sum', dimensions: { D: 'v' } },
        },
        { id: 'e', expression: 'm / 2', return_data: true },
      ],
    },
    [{}, { MetricAlarms: [{ AlarmArn: 'arn:a' }] }],
    [
      call('cloudwatch', 'PutMetricAlarm', {
        AlarmName: 'a',
        OkActions: undefined,
        OKActions: ['arn:sns'],
        Threshold: 0.5,
        Metrics: [
          {
            Id: 'm',
            MetricStat: {
              Metric: { Namespace: 'N', MetricName: 'M', Dimensions: [{ Name: 'D', Value: 'v' }] },
              Period: 60,
              Stat: 'Sum',
            },
          },
          { Id: 'e', Expression: 'm / 2', ReturnData: true },
        ],
        Tags: [],
      }),
      call('cloudwatch', 'DescribeAlarms', { AlarmNames: ['a'] }),
    ],
    { id: 'a', arn: 'arn:a' },
  ],
])('%s %o', (type, block, answers, calls, attributes) => {
  const creation = creationOf(type, block)
  const sent: Call[] = []
  let step = creation?.next()
  while (step?.done === false) {
    sent.push(step.value)
    step = creation?.next(answers[sent.length - 1] ?? {})
  }
  expect(sent).toEqual(calls)
  expect(step?.value).toEqual(attributes)
})

test('an answer without what is needed is an error that shows it', () => {
  const creation = creationOf('aws_vpc', {})
  creation?.next()
  expect(() => creation?.next({ Vpc: {} })).toThrow('There is no Vpc.VpcId in the answer {"Vpc":{}}')
})
