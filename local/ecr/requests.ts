import { z } from 'zod'

/** What is read of each request (ECR API reference); more is let through. */

const registryId = z.string().optional()
const repositoryName = z
  .string()
  .max(256)
  .regex(/^[a-z0-9]+(?:[._/-]+[a-z0-9]+)*$/, { error: 'must be lower-case letters, digits and . _ - /' })
const imageTag = z
  .string()
  .max(300)
  .regex(/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/)
const imageDigest = z.string().regex(/^sha256:[0-9a-f]{64}$/)

const imageId = z
  .object({ imageTag: imageTag.optional(), imageDigest: imageDigest.optional() })
  .refine(({ imageTag: tag, imageDigest: digest }) => tag !== undefined || digest !== undefined, {
    error: 'must have imageTag or imageDigest',
  })

export const createRepositoryRequest = z.object({ registryId, repositoryName })
export const describeRepositoriesRequest = z.object({
  registryId,
  repositoryNames: z.array(repositoryName).max(100).optional(),
})
export const putImageRequest = z.object({
  registryId,
  repositoryName,
  imageManifest: z.string().min(1).max(4_194_304),
  imageTag: imageTag.optional(),
})
export const describeImagesRequest = z.object({
  registryId,
  repositoryName,
  imageIds: z.array(imageId).min(1).max(100).optional(),
})
export const batchDeleteImageRequest = z.object({
  registryId,
  repositoryName,
  imageIds: z.array(imageId).min(1).max(100),
})
export const createPullThroughCacheRuleRequest = z.object({
  registryId,
  ecrRepositoryPrefix: z.string().min(2).max(30),
  upstreamRegistryUrl: z.string().min(1),
})
export const describePullThroughCacheRulesRequest = z.object({
  registryId,
  ecrRepositoryPrefixes: z.array(z.string()).max(100).optional(),
})

export type ImageId = z.infer<typeof imageId>
