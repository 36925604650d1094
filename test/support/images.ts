import { CreateRepositoryCommand, ECRClient, PutImageCommand } from '@aws-sdk/client-ecr'
import { localAccountId, localCredentials } from '../../local/credentials.ts'

/** What names of images in the local ECR begin with. */
export const localRegistry = (region = 'us-east-1'): string =>
  `${localAccountId}.dkr.ecr.${region}.amazonaws.com`

export const ecrClient = (endpoint: string): ECRClient =>
  new ECRClient({ endpoint, region: 'us-east-1', credentials: localCredentials, maxAttempts: 1 })

/** Puts an image into the local ECR, in a repository that is made for it. @returns its digest */
export async function pushImage(
  { endpoint }: { endpoint: string },
  repositoryName: string,
  imageTag: string,
): Promise<string> {
  const ecr = ecrClient(endpoint)
  try {
    await ecr.send(new CreateRepositoryCommand({ repositoryName })).catch((error: Error) => {
      if (error.name !== 'RepositoryAlreadyExistsException') throw error
    })
    const imageManifest = JSON.stringify({ schemaVersion: 2, config: { repositoryName, imageTag } })
    const { image } = await ecr.send(new PutImageCommand({ repositoryName, imageTag, imageManifest }))
    return image?.imageId?.imageDigest ?? ''
  } finally {
    ecr.destroy()
  }
}
