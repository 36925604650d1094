import type { Block } from '../support/synthesized.ts'

/** One request to AWS, in the words of its own API. */
export type Call = { service: Service; operation: string; input: Record<string, unknown> }

/** As AWS's library for Python names them: it is the one that sends. */
export type Service =
  | 'budgets'
  | 'cloudwatch'
  | 'dynamodb'
  | 'ec2'
  | 'ecr'
  | 'ecs'
  | 'events'
  | 'iam'
  | 'logs'
  | 's3'
  | 'sns'
  | 'sqs'
  | 'ssm'
  | 'sts'

export type Answer = Record<string, unknown>

/** What others may refer to, beside what stands in the block itself. */
export type Attributes = Record<string, unknown>

/** What AWS, or who stands in for it, answered instead. A request that AWS's own library finds wrong is none of these. */
export class Refused extends Error {
  /** Without what changes from run to run. */
  readonly short: string

  constructor({ service, operation }: Call, code: string, message: string) {
    super(`${service} ${operation}: ${code}: ${message}`)
    this.short = `${operation}: ${code}`
  }
}

/** How a block becomes requests. It sends nothing: it yields a request and goes on with the answer. */
export type Creation = Generator<Call, Attributes, Answer>

/** A request that reads, what to look at in its answer, and what has to be seen there (more may be). */
export type Look = { call: Call; at: string; wanted: unknown }

export type Maker = {
  create(block: Block): Creation
  /** What shows that it is there as wanted, and not only that the request was answered. */
  looks(block: Block, attributes: Attributes): Look[]
}

export const call = (service: Service, operation: string, input: Record<string, unknown> = {}): Call => ({
  service,
  operation,
  input,
})

/** A part of an answer, by its path: `Vpc.VpcId`, `repositories.0.repositoryArn`. An empty path is the answer itself. */
export const at = (answer: unknown, path: string): unknown =>
  path
    .split('.')
    .filter((name) => name !== '')
    .reduce<unknown>((value, name) => (value as Record<string, unknown> | undefined)?.[name], answer)

/** The same where it has to be there. */
export function needed(answer: Answer, path: string): unknown {
  const value = at(answer, path)
  if (value === undefined) throw new Error(`There is no ${path} in the answer ${JSON.stringify(answer)}`)
  return value
}

/** A nested block. The bindings write those that occur once as an object or as a list of one. */
export function one(block: unknown): Block {
  const [first, ...more] = Array.isArray(block) ? block : [block]
  if (typeof first !== 'object' || first === null || more.length > 0)
    throw new Error(`Not one block: ${JSON.stringify(block)}`)
  return first as Block
}

/** Nested blocks, none if there are none. */
export const list = (blocks: unknown): Block[] => (blocks ?? []) as Block[]

/** `max_age_seconds` as `MaxAgeSeconds`, down to the leaves. A name that AWS does not have is refused when it is sent. */
export function pascal(value: unknown): unknown {
  return renamed(value, (name) =>
    name
      .split('_')
      .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
      .join(''),
  )
}

/** `scan_on_push` as `scanOnPush`, which is how ECS and ECR write. */
export function camel(value: unknown): unknown {
  return renamed(value, (name) => name.replaceAll(/_(\w)/g, (_all, letter: string) => letter.toUpperCase()))
}

const renamed = (value: unknown, rename: (name: string) => string): unknown => {
  if (Array.isArray(value)) return value.map((item) => renamed(item, rename))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [rename(name), renamed(item, rename)]),
  )
}

const tagEntries = ({ tags }: Block) => Object.entries((tags ?? {}) as Record<string, string>)

/** Tags as most services want them. */
export const tagList = (block: Block) => tagEntries(block).map(([Key, Value]) => ({ Key, Value }))

/** Tags as ECS wants them. */
export const ecsTags = (block: Block) => tagEntries(block).map(([key, value]) => ({ key, value }))

/** Tags as EC2 wants them, with what they are put on. */
export const tagsOn = (type: string, block: Block) => [{ ResourceType: type, Tags: tagList(block) }]
