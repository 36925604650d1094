import { parseDocument, type Statement } from './iam/document.ts'

/** What `synth` writes: cdk.tf.json. */
export type StackJson = {
  resource?: Blocks
  data?: Blocks
  provider?: Record<string, Values[]>
  output?: Record<string, Values>
  terraform?: Values
}
type Blocks = Record<string, Record<string, Values>>
export type Values = Record<string, unknown>

export type Resource = {
  /** `aws_sqs_queue.jobs` */
  address: string
  /** `aws_sqs_queue` */
  type: string
  values: Values
}

export type Stack = {
  json: StackJson
  resources: readonly Resource[]
  /** All resources of these types. */
  of(...types: string[]): readonly Resource[]
  /** Every policy document in the stack, with what it belongs to. */
  policies: readonly Policy[]
}

export type Policy = {
  address: string
  /**
   * identity: what a role may do. trust: who may take it on. resource: who may touch a thing. door: what an endpoint lets
   * through; it grants nothing.
   */
  kind: 'identity' | 'trust' | 'resource' | 'door'
  /** Addresses of what it is attached to. */
  of: readonly string[]
  statements: readonly Statement[]
}

export const readStack = (json: StackJson): Stack => {
  const resources = Object.entries(json.resource ?? {}).flatMap(([type, blocks]) =>
    Object.entries(blocks).map(([id, values]) => ({ address: `${type}.${id}`, type, values })),
  )
  return {
    json,
    resources,
    of: (...types) => resources.filter(({ type }) => types.includes(type)),
    policies: resources.flatMap(policiesOf),
  }
}

/** Where policy documents stand: by resource type, the attribute that holds one and the one that says whose it is. */
const documents: Record<string, readonly { kind: Policy['kind']; in: string; of?: string }[]> = {
  aws_iam_role: [{ kind: 'trust', in: 'assume_role_policy' }],
  aws_iam_role_policy: [{ kind: 'identity', in: 'policy', of: 'role' }],
  aws_iam_policy: [{ kind: 'identity', in: 'policy' }],
  aws_s3_bucket_policy: [{ kind: 'resource', in: 'policy', of: 'bucket' }],
  aws_sqs_queue_policy: [{ kind: 'resource', in: 'policy', of: 'queue_url' }],
  aws_sqs_queue: [{ kind: 'resource', in: 'policy' }],
  aws_sns_topic_policy: [{ kind: 'resource', in: 'policy', of: 'arn' }],
  aws_sns_topic: [{ kind: 'resource', in: 'policy' }],
  aws_ecr_repository_policy: [{ kind: 'resource', in: 'policy', of: 'repository' }],
  aws_dynamodb_resource_policy: [{ kind: 'resource', in: 'policy', of: 'resource_arn' }],
  aws_kms_key: [{ kind: 'resource', in: 'policy' }],
  aws_vpc_endpoint: [{ kind: 'door', in: 'policy' }],
  aws_secretsmanager_secret_policy: [{ kind: 'resource', in: 'policy', of: 'secret_arn' }],
  aws_cloudwatch_log_resource_policy: [{ kind: 'resource', in: 'policy_document' }],
}

const policiesOf = ({ address, type, values }: Resource): Policy[] =>
  (documents[type] ?? []).flatMap(({ kind, in: attribute, of }) =>
    values[attribute] === undefined
      ? []
      : [
          {
            address,
            kind,
            of: of === undefined ? [address] : referencesIn(values[of]),
            statements: parseDocument(values[attribute]),
          },
        ],
  )

/** Addresses of resources that a value names, anywhere inside it. */
export const referencesIn = (value: unknown): string[] => {
  const interpolations = JSON.stringify(value ?? null).match(/\$\{.*?\}/g) ?? []
  return [
    ...new Set(
      interpolations.flatMap((text) => text.match(/(?<![\w.])(?:data\.)?aws_[a-z0-9_]+\.[\w-]+/g) ?? []),
    ),
  ]
}

/** Whether the value of an attribute names this resource. */
export const refersTo = (value: unknown, { address }: Resource): boolean =>
  referencesIn(value).includes(address)

/** Nested blocks stand as one object or as a list of them. */
export const blocksOf = (value: unknown): Values[] =>
  [value].flat().filter((one): one is Values => typeof one === 'object' && one !== null)

/** The containers of a task definition. */
export const containersOf = ({ values }: Resource): Values[] =>
  JSON.parse(String(values.container_definitions ?? '[]')) as Values[]
