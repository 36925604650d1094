import { alarmRules } from './alarms.ts'
import { dynamodbRules } from './dynamodb.ts'
import { ecrRules } from './ecr.ts'
import { ecsRules } from './ecs.ts'
import { endpointRules } from './endpoints.ts'
import { eventRules } from './events.ts'
import { iamRules } from './iam.ts'
import { logRules } from './logs.ts'
import { networkRules } from './network.ts'
import type { Rule } from './rule.ts'
import { s3Rules } from './s3.ts'
import { secretRules } from './secrets.ts'
import { sqsRules } from './sqs.ts'
import { tagRules } from './tags.ts'
import { tlsRules } from './tls.ts'
import { trustRules } from './trust.ts'

export const rules: readonly Rule[] = [
  ...iamRules,
  ...trustRules,
  ...tlsRules,
  ...s3Rules,
  ...sqsRules,
  ...dynamodbRules,
  ...eventRules,
  ...networkRules,
  ...endpointRules,
  ...logRules,
  ...alarmRules,
  ...ecrRules,
  ...ecsRules,
  ...secretRules,
  ...tagRules,
]
