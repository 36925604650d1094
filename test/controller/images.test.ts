import type { DescribeImagesCommandInput } from '@aws-sdk/client-ecr'
import { describe, expect, test } from 'vitest'
import { NotLeading } from '../../controller/not-leading.ts'
import { createImageChecker, type Ecr, parseEcrImage } from '../../controller/run/images.ts'

const registry = '123456789012.dkr.ecr.us-east-1.amazonaws.com'
const digest = `sha256:${'a'.repeat(64)}`
const image = `${registry}/apps/encoder:v2`

describe('the name of an image', () => {
  const parts = { registryId: '123456789012', region: 'us-east-1', repository: 'apps/encoder' }
  test.each<[string, ReturnType<typeof parseEcrImage>]>([
    [image, { ...parts, id: { imageTag: 'v2' } }],
    [`${registry}/apps/encoder`, { ...parts, id: { imageTag: 'latest' } }],
    [`${registry}/apps/encoder@${digest}`, { ...parts, id: { imageDigest: digest } }],
    // A digest is what is pulled, whatever the tag before it says.
    [`${image}@${digest}`, { ...parts, id: { imageDigest: digest } }],
    [
      `${registry.replace('us-east-1', 'cn-north-1')}.cn/app:1`,
      { ...parts, region: 'cn-north-1', repository: 'app', id: { imageTag: '1' } },
    ],
    [
      `${registry.replace('.ecr.', '.ecr-fips.')}/app:1`,
      { ...parts, repository: 'app', id: { imageTag: '1' } },
    ],
    ['123456789012.dkr-ecr.us-east-1.on.aws/app:1', { ...parts, repository: 'app', id: { imageTag: '1' } }],
    ['busybox', undefined],
    ['docker.io/library/busybox:1', undefined],
    ['public.ecr.aws/docker/library/busybox:1', undefined],
    ['1234.dkr.ecr.us-east-1.amazonaws.com/app:1', undefined],
    [`${registry}.evil.org/app:1`, undefined],
    [`https://${image}`, undefined],
    [`${registry}/`, undefined],
    [`${registry}/App:1`, undefined],
    [`${registry}/app:not a tag`, undefined],
    [`${registry}/app@sha256:short`, undefined],
    ['', undefined],
  ])('%s', (name, want) => {
    expect(parseEcrImage(name)).toEqual(want)
  })

  test('is read in no time, however it is made', () => {
    const startMs = performance.now()
    parseEcrImage(`${registry}/${'a-'.repeat(20_000)}!`)
    parseEcrImage(`${registry}/${'a/'.repeat(20_000)}`)
    expect(performance.now() - startMs).toBeLessThan(500)
  })
})

const failing = (name: string) => Object.assign(new Error(`${name} happened`), { name })

/** An ECR that answers each command by its name. */
function ecrOf(answers: Record<string, (input: DescribeImagesCommandInput) => unknown>) {
  const asked: string[] = []
  const send = async (command: { constructor: { name: string }; input: object }) => {
    const name = command.constructor.name.replace('Command', '')
    asked.push(name)
    return answers[name]?.(command.input as DescribeImagesCommandInput)
  }
  return { ecr: { send } as unknown as Ecr, asked }
}
const present = { DescribeImages: () => ({ imageDetails: [{ imageDigest: digest }] }) }
const missing = (error: string, rules: unknown = { pullThroughCacheRules: [] }) => ({
  DescribeImages: () => {
    throw failing(error)
  },
  DescribePullThroughCacheRules: () => {
    if (rules instanceof Error) throw rules
    return rules
  },
})

describe('an image', () => {
  const look = (answers: Parameters<typeof ecrOf>[0], name = image) => {
    const { ecr, asked } = ecrOf(answers)
    const told: string[] = []
    const checker = createImageChecker(
      ecr,
      'us-east-1',
      () => 0,
      (_image, why) => told.push(why),
    )
    return { seen: checker.look(name), asked, told }
  }

  test('that is there is known by its digest', async () => {
    const requests: object[] = []
    const { seen } = look({
      DescribeImages: (input) => {
        requests.push(input)
        return present.DescribeImages()
      },
    })
    expect(await seen).toEqual({ is: 'present', digest })
    expect(requests).toEqual([
      { registryId: '123456789012', repositoryName: 'apps/encoder', imageIds: [{ imageTag: 'v2' }] },
    ])
  })

  test.each([
    ['RepositoryNotFoundException', image, 'there is no repository apps/encoder'],
    ['ImageNotFoundException', image, 'repository apps/encoder has no image with tag v2'],
    [
      'ImageNotFoundException',
      `${image}@${digest}`,
      `repository apps/encoder has no image with digest ${digest}`,
    ],
  ])('that is not there (%s) is missing, in words', async (error, name, why) => {
    expect(await look(missing(error), name).seen).toEqual({ is: 'missing', why })
  })

  test.each([
    ['of its prefix', [{ ecrRepositoryPrefix: 'apps' }], 'unknown'],
    ['of everything', [{ ecrRepositoryPrefix: 'ROOT' }], 'unknown'],
    ['of another prefix', [{ ecrRepositoryPrefix: 'app' }], 'missing'],
  ])(
    'that a pull through cache %s may bring at the first pull',
    async (_name, pullThroughCacheRules, want) => {
      const { seen } = look(missing('RepositoryNotFoundException', { pullThroughCacheRules }))
      expect(await seen).toMatchObject({ is: want })
    },
  )

  test.each(['AccessDeniedException', 'ServerException', 'ThrottlingException', 'TimeoutError'])(
    'about which ECR says nothing (%s) is launched unseen, and said so',
    async (error) => {
      const { seen, told } = look(missing(error))
      expect(await seen).toEqual({ is: 'unknown' })
      expect(told).toEqual([`${error}: ${error} happened`])
    },
  )

  test('whose cache nobody may look at is launched unseen', async () => {
    const { seen } = look(missing('ImageNotFoundException', failing('AccessDeniedException')))
    expect(await seen).toEqual({ is: 'unknown' })
  })

  test.each(['busybox', 'public.ecr.aws/a/b:1', image.replace('us-east-1', 'eu-west-1')])(
    'elsewhere is not asked for: %s',
    async (name) => {
      const { seen, asked } = look(present, name)
      expect(await seen).toEqual({ is: 'unknown' })
      expect(asked).toEqual([])
    },
  )

  test('is nobody’s affair any more once another one leads', async () => {
    const { seen } = look({
      DescribeImages: () => {
        throw new NotLeading()
      },
    })
    await expect(seen).rejects.toThrow(NotLeading)
  })
})

describe('what is known of an image', () => {
  const courseOf = (answers: Parameters<typeof ecrOf>[0]) => {
    const { ecr, asked } = ecrOf(answers)
    let nowMs = 0
    const told: string[] = []
    const checker = createImageChecker(
      ecr,
      'us-east-1',
      () => nowMs,
      (name) => told.push(name),
    )
    const lookAfter = (ms: number) => {
      nowMs += ms
      return checker.look(image)
    }
    return { lookAfter, asked, told }
  }

  test('holds for a minute', async () => {
    const { lookAfter, asked } = courseOf(present)
    await lookAfter(0)
    await lookAfter(59_999)
    expect(asked).toHaveLength(1)
    await lookAfter(1)
    expect(asked).toHaveLength(2)
  })

  test('is asked for every time while it is missing: somebody is about to push it', async () => {
    let answer: () => unknown = missing('ImageNotFoundException').DescribeImages
    const { lookAfter } = courseOf({ ...missing(''), DescribeImages: () => answer() })
    expect(await lookAfter(0)).toMatchObject({ is: 'missing' })
    answer = present.DescribeImages
    expect(await lookAfter(0)).toMatchObject({ is: 'present' })
  })

  test('is not asked for again and again where nobody answers, and said once', async () => {
    const { lookAfter, asked, told } = courseOf(missing('AccessDeniedException'))
    await lookAfter(0)
    await lookAfter(1000)
    expect(asked).toHaveLength(1)
    await lookAfter(60_000)
    expect(asked).toHaveLength(2)
    expect(told).toEqual([image])
  })
})
