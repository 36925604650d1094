import type { Stack, Values } from '../stack.ts'

export type Place = { region: string; accountId: string }

/**
 * A text of the stack as Terraform would write it once everything is there: references become names and ARNs.
 * @throws Error for an expression that only Terraform can work out
 */
export const resolve = (text: string, stack: Stack, place: Place): string =>
  text.replaceAll(/\$\{(.*?)\}/g, (_match, expression: string) => termOf(expression, stack, place))

function termOf(expression: string, stack: Stack, place: Place): string {
  const [, isData, type = '', id = '', attribute = ''] =
    /^(data\.)?(aws_\w+)\.([\w-]+)\.(\w+)$/.exec(expression) ?? []
  if (isData !== undefined && type === 'aws_caller_identity') return place.accountId
  if (isData !== undefined && type === 'aws_partition') return 'aws'
  const values = stack.json.resource?.[type]?.[id]
  if (isData !== undefined || values === undefined)
    throw new Error(`\${${expression}}: the IAM test cannot work this out, teach it in resolve.ts`)
  const own = values[attribute]
  if (typeof own === 'string') return resolve(own, stack, place)
  if (attribute === 'arn') return resolve(arnOf(type, values, place), stack, place)
  // Ids that AWS makes up: any will do, as long as each has its own.
  if (attribute === 'id')
    return resolve(String(values.bucket ?? values.name ?? `${type}-${id}`), stack, place)
  throw new Error(`\${${expression}}: the IAM test cannot work this out, teach it in resolve.ts`)
}

/** Formats of the service authorization reference. */
const arnOf = (type: string, values: Values, { region, accountId }: Place): string => {
  const regional = (service: string, resource: string) =>
    `arn:aws:${service}:${region}:${accountId}:${resource}`
  switch (type) {
    case 'aws_s3_bucket':
      return `arn:aws:s3:::${values.bucket}`
    case 'aws_dynamodb_table':
      return regional('dynamodb', `table/${values.name}`)
    case 'aws_sqs_queue':
      return regional('sqs', String(values.name))
    case 'aws_ecs_cluster':
      return regional('ecs', `cluster/${values.name}`)
    case 'aws_cloudwatch_log_group':
      return regional('logs', `log-group:${values.name}`)
    case 'aws_ecr_repository':
      return regional('ecr', `repository/${values.name}`)
    case 'aws_iam_role':
      return `arn:aws:iam::${accountId}:role/${values.name}`
    default:
      throw new Error(`${type}: the IAM test does not know its ARN, teach it in resolve.ts`)
  }
}
