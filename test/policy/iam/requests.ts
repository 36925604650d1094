import type { Request } from './evaluate.ts'
import { attributesIn } from './expressions.ts'

/** One call as it was seen on the wire. */
export type Call = {
  /** `DynamoDB_20120810.UpdateItem`, or method and path of S3. */
  operation: string
  body: string
  /** Of the answer. */
  status: number
}

/** What stands in no call, and IAM looks at all the same. */
export type Account = {
  region: string
  accountId: string
  /** The key attribute of a table, by its name. */
  keyOf: (table: string) => string
  /** ARNs of the roles that a task of this family gets. */
  rolesOf: (family: string) => readonly string[]
}

type Body = Record<string, unknown>

/**
 * What IAM is asked when a call arrives: usually one question, sometimes more (a RunTask also passes roles).
 * @throws Error for a call that nobody has described here: it would go unchecked
 */
export const requestsOf = (call: Call, account: Account): Request[] => {
  const [service, action = ''] = call.operation.split('.')
  switch (service) {
    case 'DynamoDB_20120810':
      return [dynamoDb(action, bodyOf(call), account)]
    case 'AmazonSQS':
      return [sqs(action, bodyOf(call), account)]
    case 'AmazonEC2ContainerServiceV20141113':
      return ecs(action, bodyOf(call), account)
    case 'Transcribe':
      return transcribe(action, bodyOf(call), account)
    case 'AmazonEC2ContainerRegistry_V20150921':
      return [ecr(action, bodyOf(call), account)]
    case 'Logs_20140328':
      return [logs(action, bodyOf(call), account)]
    default:
      if (/^[A-Z]+ \//.test(call.operation)) return s3(call)
      throw unknownCall(call.operation)
  }
}

const bodyOf = (call: Call): Body => JSON.parse(call.body) as Body

const text = (value: unknown): string => (typeof value === 'string' ? value : '')
const arn = (service: string, { region, accountId }: Account, resource: string): string =>
  `arn:aws:${service}:${region}:${accountId}:${resource}`

const expressionsOf = (body: Body): string[] =>
  [
    'UpdateExpression',
    'ConditionExpression',
    'KeyConditionExpression',
    'FilterExpression',
    'ProjectionExpression',
  ].flatMap((name) => (typeof body[name] === 'string' ? [text(body[name])] : []))

/**
 * Condition keys as in the developer guide of DynamoDB, "Using IAM policy conditions for fine-grained access control":
 * the attributes are those that the request names, those of the key included.
 */
function dynamoDb(action: string, body: Body, account: Account): Request {
  const table = text(body.TableName)
  const index = text(body.IndexName)
  const names = (body.ExpressionAttributeNames ?? {}) as Record<string, string>
  const item = (body.Item ?? body.Key ?? {}) as Record<string, Record<string, string>>
  const attributes = [
    ...new Set([
      ...Object.keys(item),
      ...expressionsOf(body).flatMap((expression) => attributesIn(expression, names)),
    ]),
  ]
  const leading = item[account.keyOf(table)]
  return {
    action: `dynamodb:${action}`,
    resource: arn('dynamodb', account, `table/${table}${index === '' ? '' : `/index/${index}`}`),
    context: {
      ...(attributes.length > 0 && { 'dynamodb:attributes': attributes }),
      ...(leading && { 'dynamodb:leadingkeys': Object.values(leading) }),
      ...(typeof body.ReturnValues === 'string' && { 'dynamodb:returnvalues': [body.ReturnValues] }),
      ...(typeof body.Select === 'string' && { 'dynamodb:select': [body.Select] }),
    },
  }
}

/** The batch calls have no permission of their own (SQS API permissions reference). */
function sqs(action: string, body: Body, account: Account): Request {
  const queue = text(body.QueueName) || text(body.QueueUrl).split('/').at(-1) || ''
  return { action: `sqs:${action.replace(/Batch$/, '')}`, resource: arn('sqs', account, queue), context: {} }
}

function logs(action: string, body: Body, account: Account): Request {
  if (action !== 'GetLogEvents') throw unknownCall(`CloudWatch Logs ${action}`)
  const stream = `log-group:${text(body.logGroupName)}:log-stream:${text(body.logStreamName)}`
  return { action: `logs:${action}`, resource: arn('logs', account, stream), context: {} }
}

/** Resources as in the service authorization reference of ECR: rules of a pull through cache have none. */
function ecr(action: string, body: Body, account: Account): Request {
  switch (action) {
    case 'DescribeImages': {
      const owner = { ...account, accountId: text(body.registryId) || account.accountId }
      const resource = arn('ecr', owner, `repository/${text(body.repositoryName)}`)
      return { action: `ecr:${action}`, resource, context: {} }
    }
    case 'DescribePullThroughCacheRules':
      return { action: `ecr:${action}`, resource: '*', context: {} }
    default:
      throw unknownCall(`ECR ${action}`)
  }
}

/** Resources as in the service authorization reference of Transcribe; a role that is handed on is a question of its own. */
function transcribe(action: string, body: Body, account: Account): Request[] {
  const { DataAccessRoleArn: role } = (body.JobExecutionSettings ?? {}) as Body
  switch (action) {
    case 'StartTranscriptionJob':
      return [
        { action: `transcribe:${action}`, resource: '*', context: {} },
        ...(typeof role === 'string'
          ? [
              {
                action: 'iam:PassRole',
                resource: role,
                context: { 'iam:passedtoservice': ['transcribe.amazonaws.com'] },
              },
            ]
          : []),
      ]
    case 'GetTranscriptionJob':
    case 'DeleteTranscriptionJob': {
      const job = `transcription-job/${text(body.TranscriptionJobName)}`
      return [{ action: `transcribe:${action}`, resource: arn('transcribe', account, job), context: {} }]
    }
    default:
      throw unknownCall(`Transcribe ${action}`)
  }
}

const unknownCall = (call: string): Error =>
  new Error(`${call}: the IAM test does not know this call, describe it in requests.ts`)

/** Resources and keys as in the service authorization reference of ECS. */
function ecs(action: string, body: Body, account: Account): Request[] {
  const cluster = arn('ecs', account, `cluster/${text(body.cluster).split('/').at(-1)}`)
  const inCluster = { 'ecs:cluster': [cluster] }
  const clusterName = text(body.cluster).split('/').at(-1)
  const taskArn = (task: unknown) =>
    text(task).startsWith('arn:') ? text(task) : arn('ecs', account, `task/${clusterName}/${text(task)}`)
  const of = (resource: string, context: Request['context'] = inCluster): Request => ({
    action: `ecs:${action}`,
    resource,
    context,
  })
  switch (action) {
    case 'RunTask':
      return [
        of(arn('ecs', account, `task-definition/${text(body.taskDefinition)}`)),
        ...account.rolesOf(text(body.taskDefinition).replace(/:\d+$/, '')).map((role) => ({
          action: 'iam:PassRole',
          resource: role,
          context: { 'iam:passedtoservice': ['ecs-tasks.amazonaws.com'] },
        })),
        ...(Array.isArray(body.tags) && body.tags.length > 0
          ? [
              {
                action: 'ecs:TagResource',
                resource: arn('ecs', account, `task/${clusterName}/new`),
                context: { 'ecs:createaction': ['RunTask'] },
              },
            ]
          : []),
      ]
    case 'StopTask':
      return [of(taskArn(body.task))]
    case 'DescribeTasks':
      return ((body.tasks ?? []) as unknown[]).map((task) => of(taskArn(task)))
    case 'ListTasks':
      return [of('*')]
    case 'DescribeTaskDefinition':
      return [of('*', {})]
    default:
      throw unknownCall(`ECS ${action}`)
  }
}

/** Path-style: /bucket/key. S3 says "404" of a missing object only to those who may list its bucket, and else "403". */
function s3({ operation, status }: Call): Request[] {
  const [method = '', url = ''] = operation.split(' ')
  const { pathname, searchParams: query } = new URL(url, 'http://s3')
  const [bucket = '', ...rest] = pathname.slice(1).split('/')
  const key = rest.map(decodeURIComponent).join('/')
  const object = (action: string): Request => ({
    action: `s3:${action}`,
    resource: `arn:aws:s3:::${bucket}/${key}`,
    context: {},
  })
  if (key === '') throw unknownCall(operation)
  switch (method) {
    case 'GET':
    case 'HEAD':
      return [
        object(query.has('versionId') ? 'GetObjectVersion' : 'GetObject'),
        ...(status === 404
          ? [{ action: 's3:ListBucket', resource: `arn:aws:s3:::${bucket}`, context: {} }]
          : []),
      ]
    case 'PUT':
    case 'POST':
      return [object('PutObject')]
    case 'DELETE':
      return [object(query.has('uploadId') ? 'AbortMultipartUpload' : 'DeleteObject')]
    default:
      throw unknownCall(operation)
  }
}
