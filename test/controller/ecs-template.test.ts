import type { TaskDefinition } from '@aws-sdk/client-ecs'
import { describe, expect, test } from 'vitest'
import { createEcsRunner, type Ecs } from '../../controller/run/ecs.ts'
import type { ImageSeen } from '../../controller/run/images.ts'

const runnerOf = (definition: TaskDefinition, images: Record<string, ImageSeen> = {}) => {
  const taskDefinition = {
    family: 'worker',
    revision: 7,
    status: 'ACTIVE' as const,
    containerDefinitions: [{ name: 'main', image: 'main-image' }],
    ...definition,
  }
  const ecs = { send: async () => ({ taskDefinition }) } as unknown as Ecs
  const looked: string[] = []
  const look = async (image: string): Promise<ImageSeen> => {
    looked.push(image)
    return images[image] ?? { is: 'unknown' }
  }
  return { runner: createEcsRunner(ecs, 'jobs', () => 0, { look }), looked }
}
const templateOf = (definition: TaskDefinition) => runnerOf(definition).runner.template('worker', undefined)

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

test('task definitions are asked for once a minute, and never more of them kept than a thousand', async () => {
  const asked: string[] = []
  const ecs = {
    send: async ({ input: { taskDefinition } }: { input: { taskDefinition: string } }) => {
      asked.push(taskDefinition)
      return { taskDefinition: { family: taskDefinition, containerDefinitions: [{ name: 'main' }] } }
    },
  } as unknown as Ecs
  const runner = createEcsRunner(ecs, 'jobs', () => 0)
  for (let n = 0; n < 1000; n += 1) await runner.template(`f:${n}`, undefined)
  await runner.template('f:0', undefined)
  expect(asked).toHaveLength(1000)
  await runner.template('f:1000', undefined)
  await runner.template('f:0', undefined)
  expect(asked.slice(1000)).toEqual(['f:1000', 'f:0'])
})

describe('a task definition that cannot be launched', () => {
  test.each<[string, TaskDefinition, string]>([
    ['is not active', { status: 'INACTIVE' }, 'Task definition worker is INACTIVE'],
    [
      'is not for Fargate',
      { compatibilities: ['EC2', 'EXTERNAL'] },
      'Task definition worker is for EC2, EXTERNAL, and tasks run on Fargate; register a revision with requiresCompatibilities FARGATE and networkMode awsvpc',
    ],
    [
      'has another network mode',
      { networkMode: 'bridge' },
      'Task definition worker has network mode bridge, and Fargate has awsvpc only; register a revision with requiresCompatibilities FARGATE and networkMode awsvpc',
    ],
  ])('%s: said in a sentence', async (_name, definition, message) => {
    await expect(templateOf(definition)).rejects.toMatchObject({ message, reason: 'TaskDefinitionInvalid' })
  })

  test('has no container of that name: said with those that it has', async () => {
    await expect(runnerOf({}).runner.template('worker', 'side')).rejects.toThrow(
      'Task definition worker has no container side; it has: main',
    )
  })

  test('may be for Fargate and other things', async () => {
    const definition: TaskDefinition = { compatibilities: ['EC2', 'FARGATE'], networkMode: 'awsvpc' }
    expect(await templateOf(definition)).toMatchObject({ taskDefinition: 'worker:7' })
  })
})

describe('the images of a task definition', () => {
  const withSideCar: TaskDefinition = {
    containerDefinitions: [
      { name: 'main', image: 'main-image' },
      { name: 'side', image: 'side-image' },
    ],
  }
  const missing: ImageSeen = { is: 'missing', why: 'there is no repository app' }

  test('are looked at where that is asked for', async () => {
    const { runner, looked } = runnerOf(withSideCar)
    await runner.template('worker', undefined)
    expect(looked).toEqual([])
    await runner.template('worker', undefined, 'images')
    expect(looked).toEqual(['main-image', 'side-image'])
  })

  test('that are not there are named, side-cars as well', async () => {
    for (const [image, container] of [
      ['main-image', 'main'],
      ['side-image', 'side'],
    ] as const) {
      const template = runnerOf(withSideCar, { [image]: missing }).runner.template('worker', 'main', 'images')
      await expect(template).rejects.toMatchObject({
        reason: 'ImageMissing',
        message: `Image ${image} of container ${container} in task definition worker:7 is not there: there is no repository app; push it, or register a revision that names another one`,
      })
    }
  })

  test('that are there: the digest of that of the container goes with the launch', async () => {
    const { runner } = runnerOf(withSideCar, {
      'main-image': { is: 'present', digest: 'sha256:main' },
      'side-image': { is: 'present', digest: 'sha256:side' },
    })
    expect(await runner.template('worker', 'side', 'images')).toMatchObject({ imageDigest: 'sha256:side' })
    expect(await runner.template('worker', undefined, 'images')).toMatchObject({ imageDigest: 'sha256:main' })
  })

  test('that are not there: the next revision, which names another one, is seen at once', async () => {
    let [revision, image] = [1, 'mistyped']
    const described = { family: 'worker', status: 'ACTIVE' }
    const ecs = {
      send: async () => ({
        taskDefinition: { ...described, revision, containerDefinitions: [{ name: 'main', image }] },
      }),
    } as unknown as Ecs
    const look = async (of: string): Promise<ImageSeen> => (of === 'mistyped' ? missing : { is: 'unknown' })
    const runner = createEcsRunner(ecs, 'jobs', () => 0, { look })
    await expect(runner.template('worker', undefined, 'images')).rejects.toThrow('register a revision')
    ;[revision, image] = [2, 'main-image']
    expect(await runner.template('worker', undefined, 'images')).toMatchObject({ taskDefinition: 'worker:2' })
  })

  test('are looked at for every launch, although the task definition is not', async () => {
    const { runner, looked } = runnerOf({})
    for (const _launch of [1, 2]) await runner.template('worker', undefined, 'images')
    expect(looked).toEqual(['main-image', 'main-image'])
  })
})
