import { expect, test } from 'vitest'
import { createEcsRunner, type Ecs } from '../../controller/run/ecs.ts'

const stopping = (name: string, message: string) => {
  const ecs = { send: () => Promise.reject(Object.assign(new Error(message), { name })) } as unknown as Ecs
  return createEcsRunner(ecs, 'jobs', () => 0).stop('arn', 'Cancel')
}

test.each([
  ['a task that ECS has forgotten', 'The referenced task was not found.'],
  ['an ARN of another cluster', 'Identifier is for cluster X. Your cluster is jobs'],
  ['what is no ARN', 'Invalid identifier: Unexpected number of separators'],
])('%s is as good as stopped', async (_what, message) => {
  await expect(stopping('InvalidParameterException', message)).resolves.toBeUndefined()
})

test.each([
  ['InvalidParameterException', 'Error retrieving subnet information: Rate exceeded (ErrorCode: Throttling)'],
  ['ThrottlingException', 'Rate exceeded'],
  ['ServerException', 'Service unavailable'],
])('%s: %s says nothing about the task, so it is asked again', async (name, message) => {
  await expect(stopping(name, message)).rejects.toThrow(message)
})
