import { jobsTableShape } from './resources.ts'

/** What a permission is for. Objects are what is in a bucket; everything: AWS knows no narrower resource for the action. */
export type Target =
  | 'jobsTable'
  | 'jobsTableIndexes'
  | 'controlTable'
  | 'jobsQueue'
  | 'jobsDlq'
  | 'taskEventsQueue'
  | 'uploadsBucket'
  | 'uploadsObjects'
  | 'outputsBucket'
  | 'outputsObjects'
  | 'outputsWork'
  | 'accessChecks'
  | 'taskDefinitions'
  | 'repositories'
  | 'tasks'
  | 'taskRoles'
  | 'transcriptions'
  | 'transcribeRole'
  | 'logStreams'
  | 'models'
  | 'everything'

export type Permission = {
  on: Target
  /** Names of IAM, which are not always those of the API. */
  actions: readonly string[]
  /** Only in our cluster (condition key ecs:cluster). */
  inCluster?: true
  /** Only handed to this service (condition key iam:PassedToService). */
  passedTo?: string
  /** Only if the request names no other attributes (condition key dynamodb:Attributes, ForAllValues). */
  attributes?: readonly string[]
  /** Only if the request wants one of these back, or says nothing about it (condition key dynamodb:ReturnValues, IfExists). */
  returnValues?: readonly string[]
  /** Where the action is not one that the code sends by itself, or cannot be narrower. */
  why?: string
}

/**
 * Every attribute that an UpdateItem of the worker names: the key, what its condition looks at, what it writes. IAM sees
 * names of the top level only, so `claim.taskArn` counts as `claim`.
 */
export const workerAttributes = [jobsTableShape.key, 'fence', 'claim', 'progress', 'report'] as const

const workerWrites: Permission = {
  on: 'jobsTable',
  actions: ['dynamodb:UpdateItem'],
  attributes: workerAttributes,
  // The claim brings the record along; all other writes want nothing back.
  returnValues: ['NONE', 'ALL_NEW'],
}

const honestMissing = 'without it S3 says 403 of an object that is not there, and nobody learns why'

/** Everything that each role sends to AWS, and nothing else. Who may run where stands in `schemas/kinds`: `group`. */
export const awsActions = {
  controller: [
    {
      on: 'jobsTable',
      actions: ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem', 'dynamodb:Scan'],
    },
    { on: 'jobsTableIndexes', actions: ['dynamodb:Query'] },
    { on: 'controlTable', actions: ['dynamodb:GetItem', 'dynamodb:PutItem', 'dynamodb:UpdateItem'] },
    {
      on: 'jobsQueue',
      actions: ['sqs:GetQueueUrl', 'sqs:ReceiveMessage', 'sqs:DeleteMessage', 'sqs:ChangeMessageVisibility'],
    },
    {
      on: 'taskEventsQueue',
      actions: [
        'sqs:GetQueueUrl',
        'sqs:ReceiveMessage',
        'sqs:DeleteMessage',
        'sqs:ChangeMessageVisibility',
        'sqs:SendMessage',
      ],
    },
    { on: 'jobsDlq', actions: ['sqs:GetQueueUrl', 'sqs:SendMessage'] },
    { on: 'uploadsObjects', actions: ['s3:GetObject', 's3:PutObject', 's3:DeleteObject'] },
    { on: 'uploadsBucket', actions: ['s3:ListBucket'], why: honestMissing },
    { on: 'outputsObjects', actions: ['s3:GetObject'] },
    { on: 'outputsWork', actions: ['s3:DeleteObject'] },
    {
      on: 'accessChecks',
      actions: ['s3:PutObject'],
      why: 'Transcribe tries with the rights of the caller whether it could write',
    },
    { on: 'outputsBucket', actions: ['s3:ListBucket'], why: honestMissing },
    { on: 'taskDefinitions', actions: ['ecs:RunTask'], inCluster: true },
    { on: 'tasks', actions: ['ecs:StopTask', 'ecs:DescribeTasks'], inCluster: true },
    {
      on: 'everything',
      actions: ['ecs:ListTasks'],
      inCluster: true,
      why: 'its resource is the container instance, which Fargate does not have',
    },
    {
      on: 'everything',
      actions: ['ecs:DescribeTaskDefinition'],
      why: 'AWS has no permission by resource for it',
    },
    {
      on: 'repositories',
      actions: ['ecr:DescribeImages'],
      why: 'containers of users may have their images in any of them; it tells digests and reads no layer',
    },
    {
      on: 'everything',
      actions: ['ecr:DescribePullThroughCacheRules'],
      why: 'AWS has no permission by resource for it',
    },
    {
      on: 'taskRoles',
      actions: ['iam:PassRole'],
      passedTo: 'ecs-tasks.amazonaws.com',
      why: 'RunTask hands the roles of the task definition to the task',
    },
    {
      on: 'everything',
      actions: ['transcribe:StartTranscriptionJob'],
      why: 'AWS has no permission by resource for it',
    },
    {
      on: 'transcriptions',
      actions: ['transcribe:GetTranscriptionJob', 'transcribe:DeleteTranscriptionJob'],
    },
    {
      on: 'transcribeRole',
      actions: ['iam:PassRole'],
      passedTo: 'transcribe.amazonaws.com',
      why: 'Transcribe reads audio and writes transcripts in that role',
    },
    { on: 'logStreams', actions: ['logs:GetLogEvents'] },
  ],
  media: [
    workerWrites,
    { on: 'uploadsObjects', actions: ['s3:GetObject', 's3:GetObjectVersion'] },
    { on: 'uploadsBucket', actions: ['s3:ListBucket'], why: honestMissing },
    {
      on: 'outputsObjects',
      // What a job published before and does not make any more is deleted when it runs again.
      actions: ['s3:GetObject', 's3:PutObject', 's3:AbortMultipartUpload', 's3:DeleteObject'],
    },
    { on: 'outputsBucket', actions: ['s3:ListBucket'], why: honestMissing },
  ],
  /** It reads what media reads, and writes nothing but its manifest. */
  seeding: [
    workerWrites,
    { on: 'uploadsObjects', actions: ['s3:GetObject', 's3:GetObjectVersion'] },
    { on: 'uploadsBucket', actions: ['s3:ListBucket'], why: honestMissing },
    { on: 'outputsObjects', actions: ['s3:GetObject', 's3:PutObject'] },
    { on: 'outputsBucket', actions: ['s3:ListBucket'], why: honestMissing },
  ],
  internet: [
    workerWrites,
    // A recording goes on in the playlist that an earlier attempt has written.
    { on: 'outputsObjects', actions: ['s3:GetObject', 's3:PutObject', 's3:AbortMultipartUpload'] },
    { on: 'outputsBucket', actions: ['s3:ListBucket'], why: honestMissing },
  ],
} as const satisfies Record<string, readonly Permission[]>

export type Role = keyof typeof awsActions

/** What the media role may besides, and only for models that the configuration names: by default there are none. */
export const modelActions = [
  { on: 'models', actions: ['bedrock:InvokeModel'] },
] as const satisfies readonly Permission[]

/** Operations whose permission has another name; every other one has its own. */
const otherNames: Readonly<Record<string, string>> = {
  'bedrock:Converse': 'bedrock:InvokeModel',
  's3:HeadObject': 's3:GetObject',
  's3:CreateMultipartUpload': 's3:PutObject',
  's3:UploadPart': 's3:PutObject',
  's3:CompleteMultipartUpload': 's3:PutObject',
  's3:ListObjectsV2': 's3:ListBucket',
  'sqs:DeleteMessageBatch': 'sqs:DeleteMessage',
  'sqs:ChangeMessageVisibilityBatch': 'sqs:ChangeMessageVisibility',
}

/**
 * The permission that one call needs, by the name of its API operation (service authorization reference).
 * @param service prefix of IAM: dynamodb, s3, sqs, ecs, ecr, transcribe, logs, bedrock
 * @param hasVersion whether the request names a version of an object
 */
export function permissionFor(service: string, operation: string, hasVersion = false): string {
  if (service === 's3' && hasVersion && ['GetObject', 'HeadObject'].includes(operation))
    return 's3:GetObjectVersion'
  const name = `${service}:${operation}`
  return otherNames[name] ?? name
}
