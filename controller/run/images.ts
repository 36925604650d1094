import {
  DescribeImagesCommand,
  DescribePullThroughCacheRulesCommand,
  type ECRClient,
} from '@aws-sdk/client-ecr'
import { NotLeading } from '../not-leading.ts'
import { describeError } from './answers.ts'

export type Ecr = Pick<ECRClient, 'send'>

/** unknown: it is not in a registry that can be asked, or the registry did not answer; the launch will show. */
export type ImageSeen =
  | { is: 'present'; digest: string | undefined }
  | { is: 'missing'; why: string }
  | { is: 'unknown' }

export type ImageChecker = ReturnType<typeof createImageChecker>

/** An image in ECR, by the parts of its name. */
export type EcrImage = {
  registryId: string
  region: string
  repository: string
  id: { imageTag: string } | { imageDigest: string }
}

/** Registries of ECR, under their old and their new names (ECR user guide, registries). */
const registry =
  /^(\d{12})\.(?:dkr\.ecr(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?|dkr-ecr(?:-fips)?\.([a-z0-9-]+)\.on\.(?:aws|amazonwebservices\.com\.cn))\/(.+)$/
const reference =
  /^([a-z0-9]+(?:[._/-]+[a-z0-9]+)*)(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$/

/** Undefined for every image that is elsewhere, and for what is no name. A digest says more than a tag before it. */
export function parseEcrImage(image: string): EcrImage | undefined {
  const [, registryId, old, recent, rest = ''] = registry.exec(image) ?? []
  const region = old ?? recent
  const [, repository, tag = 'latest', digest] = reference.exec(rest) ?? []
  if (registryId === undefined || region === undefined || repository === undefined) return undefined
  return {
    ...{ registryId, region, repository },
    id: digest === undefined ? { imageTag: tag } : { imageDigest: digest },
  }
}

const answerMaxAgeMs = 60_000
/** More names than that are not remembered, but asked for again. */
const answersKept = 1000

/**
 * Whether images exist, for those that are in ECR of this region. What is there stays known for a minute, and so does that
 * nobody could be asked; what is missing is asked for every time, because people push it and try again at once.
 * @param onUnknown is told once of each image that ECR gave no answer about, and why
 */
export function createImageChecker(
  ecr: Ecr,
  region: string,
  nowMs: () => number,
  onUnknown: (image: string, why: string) => void = () => undefined,
) {
  const answers = new Map<string, { seen: ImageSeen; atMs: number }>()
  const told = new Set<string>()

  return {
    /** Never throws but where another one leads by now: a registry that is silent does not hold up a launch. */
    async look(image: string): Promise<ImageSeen> {
      const parsed = parseEcrImage(image)
      if (parsed?.region !== region) return { is: 'unknown' }
      const known = answers.get(image)
      if (known && nowMs() - known.atMs < answerMaxAgeMs) return known.seen
      const seen = await ask(parsed).catch((error: unknown): ImageSeen => {
        if (error instanceof NotLeading) throw error
        tell(image, error)
        return { is: 'unknown' }
      })
      if (answers.size >= answersKept) answers.clear()
      if (seen.is === 'missing') answers.delete(image)
      else answers.set(image, { seen, atMs: nowMs() })
      return seen
    },
  }

  async function ask({ registryId, repository, id }: EcrImage): Promise<ImageSeen> {
    try {
      const { imageDetails } = await ecr.send(
        new DescribeImagesCommand({ registryId, repositoryName: repository, imageIds: [id] }),
      )
      return { is: 'present', digest: imageDetails?.[0]?.imageDigest }
    } catch (error) {
      const why = whyMissing(describeError(error).name, repository, id)
      if (why === undefined) throw error
      return (await isFetchedOnDemand(registryId, repository)) ? { is: 'unknown' } : { is: 'missing', why }
    }
  }

  /** A pull through cache makes repository and image when they are first pulled (ECR user guide, pull through cache rules). */
  async function isFetchedOnDemand(registryId: string, repository: string): Promise<boolean> {
    const { pullThroughCacheRules } = await ecr.send(
      new DescribePullThroughCacheRulesCommand({ registryId, maxResults: 1000 }),
    )
    return (pullThroughCacheRules ?? []).some(
      ({ ecrRepositoryPrefix: prefix = '' }) => prefix === 'ROOT' || repository.startsWith(`${prefix}/`),
    )
  }

  function tell(image: string, error: unknown): void {
    if (told.has(image)) return
    if (told.size >= answersKept) told.clear()
    told.add(image)
    const { name, message } = describeError(error)
    onUnknown(image, `${name}: ${message}`)
  }
}

function whyMissing(errorName: string, repository: string, id: EcrImage['id']): string | undefined {
  switch (errorName) {
    case 'RepositoryNotFoundException':
      return `there is no repository ${repository}`
    case 'ImageNotFoundException':
      return 'imageTag' in id
        ? `repository ${repository} has no image with tag ${id.imageTag}`
        : `repository ${repository} has no image with digest ${id.imageDigest}`
    default:
      return undefined
  }
}
