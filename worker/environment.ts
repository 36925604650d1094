import { taskEnvironmentSchema } from '../schemas/environment.ts'
import { problemsOf, sentenceOf } from '../schemas/problems.ts'
import { WorkerError } from './errors.ts'

/** Our worker must know its own ARN, so the address that containers may do without is required here. */
const workerEnvironmentSchema = taskEnvironmentSchema.required({ ECS_CONTAINER_METADATA_URI_V4: true })

export type WorkerEnvironment = ReturnType<typeof workerEnvironmentSchema.parse>

/**
 * What the task was given.
 * @throws WorkerError ENVIRONMENT_INVALID, naming every variable that is missing or wrong
 */
export const readEnvironment = (variables: NodeJS.ProcessEnv): WorkerEnvironment => {
  const parsed = workerEnvironmentSchema.safeParse(variables)
  if (parsed.success) return parsed.data
  const problems = problemsOf(parsed.error, variables)
  throw new WorkerError('ENVIRONMENT_INVALID', problems.map(explain).join('; '))
}

const explain = (problem: ReturnType<typeof problemsOf>[number]): string =>
  problem.value === 'nothing' ? `${problem.field} is not set` : sentenceOf(problem)
