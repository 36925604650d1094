import { blocksOf, containersOf, type Resource, referencesIn, type Stack, type Values } from '../stack.ts'
import type { Conditions, Statement } from './document.ts'
import { type Place, resolve } from './resolve.ts'

/** A kind of task with the roles that it gets, everything as it will be called on AWS. */
export type Task = {
  family: string
  roleArn: string
  executionRoleArn: string
  /** What its code may do, and what is done to start it. */
  statements: Statement[]
  executionStatements: Statement[]
  environment: Record<string, string>
}

/** Every kind of task of a stack, by the end of its family: `controller`, `worker`, `worker-internet`. */
export const tasksOf = (stack: Stack, place: Place): Record<string, Task> =>
  Object.fromEntries(
    stack.of('aws_ecs_task_definition').map((definition) => {
      const family = String(definition.values.family)
      return [family.slice(family.indexOf('-') + 1), taskOf(stack, definition, family, place)]
    }),
  )

const taskOf = (stack: Stack, definition: Resource, family: string, place: Place): Task => {
  const { task_role_arn: role, execution_role_arn: executionRole } = definition.values
  const [container] = containersOf(definition)
  return {
    family,
    roleArn: resolve(String(role), stack, place),
    executionRoleArn: resolve(String(executionRole), stack, place),
    statements: statementsOf(stack, role, place),
    executionStatements: statementsOf(stack, executionRole, place),
    environment: Object.fromEntries(
      blocksOf(container?.environment).map(({ name, value }: Values) => [
        String(name),
        resolve(String(value), stack, place),
      ]),
    ),
  }
}

const statementsOf = (stack: Stack, role: unknown, place: Place): Statement[] => {
  const [address] = referencesIn(role)
  const resolved = (texts: readonly string[]) => texts.map((text) => resolve(text, stack, place))
  return stack.policies
    .filter(({ kind, of }) => kind === 'identity' && address !== undefined && of.includes(address))
    .flatMap(({ statements }) => statements)
    .map((statement) => ({
      ...statement,
      resources: resolved(statement.resources),
      notResources: resolved(statement.notResources),
      conditions: resolveConditions(statement.conditions, resolved),
    }))
}

const resolveConditions = (
  conditions: Conditions,
  resolved: (texts: readonly string[]) => string[],
): Conditions =>
  Object.fromEntries(
    Object.entries(conditions).map(([operator, keys]) => [
      operator,
      Object.fromEntries(Object.entries(keys).map(([key, values]) => [key, resolved(values)])),
    ]),
  )
