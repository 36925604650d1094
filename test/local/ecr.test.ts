import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  BatchDeleteImageCommand,
  CreatePullThroughCacheRuleCommand,
  CreateRepositoryCommand,
  DescribeImagesCommand,
  DescribePullThroughCacheRulesCommand,
  DescribeRepositoriesCommand,
  type ECRClient,
  ListImagesCommand,
  PutImageCommand,
} from '@aws-sdk/client-ecr'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ecrClient, localRegistry, pushImage } from '../support/images.ts'
import { startTestAws, type TestAws } from '../support/local-aws.ts'

let aws: TestAws
let ecr: ECRClient
let dataDir: string
const start = async () => {
  aws = await startTestAws({ dataDir })
  ecr = ecrClient(aws.endpoint)
}
const stop = async () => {
  ecr.destroy()
  await aws.close()
}
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'ecr-'))
  await start()
})
afterAll(async () => {
  await stop()
  await rm(dataDir, { recursive: true })
})

const describeImage = (repositoryName: string, id: { imageTag?: string; imageDigest?: string }) =>
  ecr.send(new DescribeImagesCommand({ repositoryName, imageIds: [id] }))
const named = (name: string) => expect.objectContaining({ name })

describe('the local ECR', () => {
  test('tells of an image by tag and by digest', async () => {
    const digest = await pushImage(aws, 'apps/encoder', 'v1')
    for (const id of [{ imageTag: 'v1' }, { imageDigest: digest }, { imageTag: 'v1', imageDigest: digest }]) {
      const { imageDetails } = await describeImage('apps/encoder', id)
      expect(imageDetails).toMatchObject([
        {
          repositoryName: 'apps/encoder',
          imageDigest: digest,
          imageTags: ['v1'],
          registryId: '000000000000',
        },
      ])
      expect(imageDetails?.[0]?.imagePushedAt).toBeInstanceOf(Date)
    }
  })

  test('says which of the two is not there', async () => {
    await pushImage(aws, 'half', 'v1')
    await expect(describeImage('nowhere', { imageTag: 'v1' })).rejects.toEqual(
      named('RepositoryNotFoundException'),
    )
    await expect(describeImage('half', { imageTag: 'v2' })).rejects.toEqual(named('ImageNotFoundException'))
    await expect(describeImage('half', { imageDigest: `sha256:${'0'.repeat(64)}` })).rejects.toEqual(
      named('ImageNotFoundException'),
    )
  })

  test('moves a tag to the image that was pushed last', async () => {
    const first = await pushImage(aws, 'moved', 'first')
    const put = (imageTag: string) =>
      ecr.send(new PutImageCommand({ repositoryName: 'moved', imageTag, imageManifest: '{"second":1}' }))
    const { image } = await put('latest')
    await put('first')
    expect((await describeImage('moved', { imageTag: 'first' })).imageDetails).toMatchObject([
      { imageDigest: image?.imageId?.imageDigest, imageTags: ['latest', 'first'] },
    ])
    const { imageDetails } = await describeImage('moved', { imageDigest: first })
    expect(imageDetails?.[0]).not.toHaveProperty('imageTags')
    await expect(put('first')).rejects.toEqual(named('ImageAlreadyExistsException'))
  })

  test('deletes an image with its last tag, or by its digest', async () => {
    const digest = await pushImage(aws, 'deleted', 'v1')
    const remove = (imageIds: object[]) =>
      ecr.send(new BatchDeleteImageCommand({ repositoryName: 'deleted', imageIds }))
    expect(await remove([{ imageTag: 'v1' }, { imageTag: 'v9' }])).toMatchObject({
      imageIds: [{ imageDigest: digest, imageTag: 'v1' }],
      failures: [{ failureCode: 'ImageNotFound' }],
    })
    await expect(describeImage('deleted', { imageDigest: digest })).rejects.toEqual(
      named('ImageNotFoundException'),
    )
    const again = await pushImage(aws, 'deleted', 'v1')
    await remove([{ imageDigest: again }])
    await expect(describeImage('deleted', { imageTag: 'v1' })).rejects.toEqual(
      named('ImageNotFoundException'),
    )
  })

  test('has repositories by their names, each once', async () => {
    await pushImage(aws, 'listed', 'v1')
    const { repositories } = await ecr.send(new DescribeRepositoriesCommand({ repositoryNames: ['listed'] }))
    expect(repositories).toMatchObject([
      {
        repositoryUri: `${localRegistry()}/listed`,
        repositoryArn: 'arn:aws:ecr:us-east-1:000000000000:repository/listed',
      },
    ])
    await expect(ecr.send(new CreateRepositoryCommand({ repositoryName: 'listed' }))).rejects.toEqual(
      named('RepositoryAlreadyExistsException'),
    )
    await expect(ecr.send(new CreateRepositoryCommand({ repositoryName: 'Not/Allowed' }))).rejects.toEqual(
      named('InvalidParameterException'),
    )
  })

  test('has rules of a pull through cache', async () => {
    const rules = () => ecr.send(new DescribePullThroughCacheRulesCommand({}))
    expect((await rules()).pullThroughCacheRules).toEqual([])
    const rule = { ecrRepositoryPrefix: 'docker-hub', upstreamRegistryUrl: 'registry-1.docker.io' }
    await ecr.send(new CreatePullThroughCacheRuleCommand(rule))
    expect((await rules()).pullThroughCacheRules).toMatchObject([rule])
  })

  test('refuses the registry of another account, and what it does not have', async () => {
    await expect(
      ecr.send(new DescribeImagesCommand({ registryId: '123456789012', repositoryName: 'a' })),
    ).rejects.toEqual(named('AccessDeniedException'))
    await expect(ecr.send(new ListImagesCommand({ repositoryName: 'a' }))).rejects.toEqual(
      named('UnknownOperationException'),
    )
  })

  test('remembers over a restart', async () => {
    const digest = await pushImage(aws, 'kept', 'v1')
    await stop()
    await start()
    expect((await describeImage('kept', { imageTag: 'v1' })).imageDetails).toMatchObject([
      { imageDigest: digest },
    ])
  })
})
