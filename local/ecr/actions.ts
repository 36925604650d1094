import { createHash } from 'node:crypto'
import type { z } from 'zod'
import type * as requests from './requests.ts'
import type { ImageRecord, RepositoryRecord, Store } from './store.ts'

export type World = { store: Store; region: string; accountId: string; nowMs: () => number }

/** A refusal, which is the caller's affair; HTTP 400. */
export class EcrError extends Error {
  readonly type: string

  constructor(type: string, message: string) {
    super(message)
    this.type = type
  }
}

type Request<Name extends keyof typeof requests> = (typeof requests)[Name] extends z.ZodType
  ? z.infer<(typeof requests)[Name]>
  : never

export async function createRepository(world: World, { repositoryName }: Request<'createRepositoryRequest'>) {
  const { repositories } = world.store.state
  if (Object.hasOwn(repositories, repositoryName))
    throw new EcrError(
      'RepositoryAlreadyExistsException',
      `The repository with name '${repositoryName}' already exists in the registry with id '${world.accountId}'`,
    )
  repositories[repositoryName] = { createdMs: world.nowMs(), images: [] }
  await world.store.save()
  return { repository: repositoryView(world, repositoryName, repositoryOf(world, repositoryName)) }
}

export function describeRepositories(
  world: World,
  { repositoryNames }: Request<'describeRepositoriesRequest'>,
) {
  const names =
    repositoryNames ?? Object.keys(world.store.state.repositories).sort((a, b) => (a < b ? -1 : 1))
  return { repositories: names.map((name) => repositoryView(world, name, repositoryOf(world, name))) }
}

/** The digest of an image is the hash of its manifest; a tag that another image had is its no more. */
export async function putImage(
  world: World,
  { repositoryName, imageManifest, imageTag: tag }: Request<'putImageRequest'>,
) {
  const repository = repositoryOf(world, repositoryName)
  const digest = `sha256:${createHash('sha256').update(imageManifest).digest('hex')}`
  const known = repository.images.find((image) => image.digest === digest)
  if (known !== undefined && (tag === undefined || known.tags.includes(tag)))
    throw new EcrError(
      'ImageAlreadyExistsException',
      `Image with digest '${digest}' and tag '${tag}' already exists in the repository with name '${repositoryName}'`,
    )
  const image = known ?? {
    digest,
    tags: [],
    bytes: Buffer.byteLength(imageManifest),
    pushedMs: world.nowMs(),
  }
  for (const other of repository.images) other.tags = other.tags.filter((name) => name !== tag)
  if (tag !== undefined) image.tags.push(tag)
  if (known === undefined) repository.images.push(image)
  await world.store.save()
  return {
    image: {
      registryId: world.accountId,
      repositoryName,
      imageId: { imageDigest: digest, ...(tag === undefined ? {} : { imageTag: tag }) },
      imageManifest,
    },
  }
}

export function describeImages(world: World, { repositoryName, imageIds }: Request<'describeImagesRequest'>) {
  const repository = repositoryOf(world, repositoryName)
  const images = imageIds?.map((id) => {
    const image = imageOf(repository, id)
    if (image !== undefined) return image
    const { imageDigest = 'null', imageTag = 'null' } = id
    throw new EcrError(
      'ImageNotFoundException',
      `The image with imageId {imageDigest:'${imageDigest}', imageTag:'${imageTag}'} does not exist within the repository with name '${repositoryName}' in the registry with id '${world.accountId}'`,
    )
  })
  return {
    imageDetails: (images ?? repository.images).map(({ digest, tags, bytes, pushedMs }) => ({
      registryId: world.accountId,
      repositoryName,
      imageDigest: digest,
      ...(tags.length > 0 ? { imageTags: tags } : {}),
      imageSizeInBytes: bytes,
      imagePushedAt: pushedMs / 1000,
    })),
  }
}

/** By its digest the image goes, by its tag only the tag, and the image with its last one (ECR API reference). */
export async function batchDeleteImage(
  world: World,
  { repositoryName, imageIds: ids }: Request<'batchDeleteImageRequest'>,
) {
  const repository = repositoryOf(world, repositoryName)
  const imageIds: object[] = []
  const failures: object[] = []
  for (const id of ids) {
    const image = imageOf(repository, id)
    if (image === undefined) {
      failures.push({ imageId: id, failureCode: 'ImageNotFound', failureReason: 'Requested image not found' })
      continue
    }
    imageIds.push({ imageDigest: image.digest, ...id })
    image.tags = id.imageDigest === undefined ? image.tags.filter((tag) => tag !== id.imageTag) : []
    if (image.tags.length === 0) repository.images.splice(repository.images.indexOf(image), 1)
  }
  await world.store.save()
  return { imageIds, failures }
}

export async function createPullThroughCacheRule(
  world: World,
  { ecrRepositoryPrefix: prefix, upstreamRegistryUrl }: Request<'createPullThroughCacheRuleRequest'>,
) {
  const { pullThroughCacheRules: rules } = world.store.state
  if (Object.hasOwn(rules, prefix))
    throw new EcrError(
      'PullThroughCacheRuleAlreadyExistsException',
      `A pull through cache rule already exists with repository prefix '${prefix}'`,
    )
  const rule = { upstreamRegistryUrl, createdMs: world.nowMs() }
  rules[prefix] = rule
  await world.store.save()
  return ruleView(world, prefix, rule)
}

export function describePullThroughCacheRules(
  world: World,
  { ecrRepositoryPrefixes }: Request<'describePullThroughCacheRulesRequest'>,
) {
  const rules = Object.entries(world.store.state.pullThroughCacheRules)
  return {
    pullThroughCacheRules: rules
      .filter(([prefix]) => ecrRepositoryPrefixes?.includes(prefix) ?? true)
      .map(([prefix, rule]) => ruleView(world, prefix, rule)),
  }
}

function repositoryOf({ store, accountId }: World, name: string): RepositoryRecord {
  const { repositories } = store.state
  const found = Object.hasOwn(repositories, name) ? repositories[name] : undefined
  if (found !== undefined) return found
  throw new EcrError(
    'RepositoryNotFoundException',
    `The repository with name '${name}' does not exist in the registry with id '${accountId}'`,
  )
}

const imageOf = (
  { images }: RepositoryRecord,
  { imageTag, imageDigest }: requests.ImageId,
): ImageRecord | undefined =>
  images.find(
    ({ digest, tags }) =>
      (imageDigest === undefined || digest === imageDigest) &&
      (imageTag === undefined || tags.includes(imageTag)),
  )

const repositoryView = (
  { region, accountId }: World,
  repositoryName: string,
  { createdMs }: RepositoryRecord,
) => ({
  repositoryArn: `arn:aws:ecr:${region}:${accountId}:repository/${repositoryName}`,
  registryId: accountId,
  repositoryName,
  repositoryUri: `${accountId}.dkr.ecr.${region}.amazonaws.com/${repositoryName}`,
  createdAt: createdMs / 1000,
})

const ruleView = (
  { accountId: registryId }: World,
  ecrRepositoryPrefix: string,
  { upstreamRegistryUrl, createdMs }: { upstreamRegistryUrl: string; createdMs: number },
) => ({ ecrRepositoryPrefix, upstreamRegistryUrl, registryId, createdAt: createdMs / 1000 })
