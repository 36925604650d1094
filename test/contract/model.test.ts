import { describe } from 'vitest'
import { registerChecks } from './check.ts'
import { dynamoChecks } from './dynamo.contract.ts'
import { dynamoIndexChecks } from './dynamo-index.contract.ts'
import { modelSubjects } from './model.ts'
import { s3Checks } from './s3.contract.ts'
import { sqsChecks } from './sqs.contract.ts'

// The models of the simulation keep the promises of AWS that our code relies on. They have no differences.

const { dynamo, sqs, s3 } = modelSubjects()

describe('DynamoDB', () => {
  registerChecks([...dynamoChecks, ...dynamoIndexChecks], () => dynamo)
})

describe('SQS', () => {
  registerChecks(sqsChecks, () => sqs)
})

describe('S3', () => {
  registerChecks(s3Checks, () => s3)
})
