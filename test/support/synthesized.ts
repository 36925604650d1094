import { App, Testing } from 'cdktf'
import { readConfig } from '../../cdktf/config.ts'
import { OperatorStack } from '../../cdktf/stack.ts'

export type Block = Record<string, unknown>

/** What Terraform would read: cdk.tf.json, parsed. */
export type Synthesized = {
  resource: Record<string, Record<string, Block>>
  data: Record<string, Record<string, Block>>
  output: Record<string, Block>
  provider: Record<string, Block[]>
  terraform: Block
}

/**
 * The whole stack as Terraform JSON, with the validations of cdktf.
 * @param variables environment variables of the person who deploys, on top of ENVIRONMENT
 */
export function synthesized(environment = 'dev', variables: Record<string, string> = {}): Synthesized {
  return JSON.parse(synthesizedText(environment, variables)) as Synthesized
}

const made = new Map<string, string>()

/** As text, which is what the matchers of cdktf want. Made once for each choice. */
export function synthesizedText(environment = 'dev', variables: Record<string, string> = {}): string {
  const choice = JSON.stringify([environment, variables])
  const text = made.get(choice) ?? synthesize({ ENVIRONMENT: environment, ...variables })
  made.set(choice, text)
  return text
}

function synthesize(variables: Record<string, string>): string {
  const read = readConfig(variables)
  if (!read.ok) throw new Error(read.problems.join('; '))
  const app = Testing.stubVersion(new App({ stackTraces: false }))
  return Testing.synth(new OperatorStack(app, read.config), true)
}

/** All resources of one type. */
export const blocks = ({ resource }: Pick<Synthesized, 'resource'>, type: string): Block[] =>
  Object.values(resource[type] ?? {})

/** The container of a task definition, which is JSON within JSON. */
export function container(stack: Synthesized, family: string): Block {
  const task = blocks(stack, 'aws_ecs_task_definition').find((one) => one.family === family)
  const [first] = JSON.parse(String(task?.container_definitions ?? '[]')) as Block[]
  if (first === undefined) throw new Error(`There is no container in ${family}`)
  return first
}

/** The environment of a container as its process will see it. */
export const environmentOf = ({ environment }: Block): Record<string, string> =>
  Object.fromEntries(
    (environment as { name: string; value: string }[]).map(({ name, value }) => [name, value]),
  )
