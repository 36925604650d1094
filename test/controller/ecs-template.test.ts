import type { TaskDefinition } from '@aws-sdk/client-ecs'
import { expect, test } from 'vitest'
import { createEcsRunner, type Ecs } from '../../controller/run/ecs.ts'

const templateOf = (definition: TaskDefinition) => {
  const taskDefinition = {
    family: 'worker',
    revision: 7,
    status: 'ACTIVE' as const,
    containerDefinitions: [{ name: 'main' }],
    ...definition,
  }
  const ecs = { send: async () => ({ taskDefinition }) } as unknown as Ecs
  return createEcsRunner(ecs, 'jobs', () => 0).template('worker', undefined)
}

test.each<[string, TaskDefinition, object]>([
  ['says nothing: x86_64', {}, { architecture: 'x86_64', ephemeralStorageGiB: undefined }],
  ['is for x86_64', { runtimePlatform: { cpuArchitecture: 'X86_64' } }, { architecture: 'x86_64' }],
  ['is for arm64', { runtimePlatform: { cpuArchitecture: 'ARM64' } }, { architecture: 'arm64' }],
  ['has a larger disk', { ephemeralStorage: { sizeInGiB: 100 } }, { ephemeralStorageGiB: 100 }],
])('what costs depend on: a task definition that %s', async (_name, definition, want) => {
  expect(await templateOf(definition)).toMatchObject({
    taskDefinition: 'worker:7',
    container: 'main',
    ...want,
  })
})
