import type { Logger } from 'pino'
import type { z } from 'zod'
import { type Answer, refusal, unknownOperation } from '../answer.ts'
import {
  batchDeleteImage,
  createPullThroughCacheRule,
  createRepository,
  describeImages,
  describePullThroughCacheRules,
  describeRepositories,
  EcrError,
  putImage,
  type World,
} from './actions.ts'
import * as requests from './requests.ts'
import { openStore } from './store.ts'

export type EcrOptions = {
  /** Holds `state.json`; what is in it survives a restart. */
  dataDir: string
  region: string
  accountId: string
  nowMs: () => number
  log: Pick<Logger, 'error'>
}

export type Ecr = {
  /** An action by the name behind `AmazonEC2ContainerRegistry_V20150921.`, with its parsed JSON body. Never rejects. */
  call(action: string, input: unknown): Promise<Answer>
}

type Action = (world: World, input: unknown) => unknown

const actions = new Map<string, Action>([
  ['CreateRepository', action(requests.createRepositoryRequest, createRepository)],
  ['DescribeRepositories', action(requests.describeRepositoriesRequest, describeRepositories)],
  ['PutImage', action(requests.putImageRequest, putImage)],
  ['DescribeImages', action(requests.describeImagesRequest, describeImages)],
  ['BatchDeleteImage', action(requests.batchDeleteImageRequest, batchDeleteImage)],
  [
    'CreatePullThroughCacheRule',
    action(requests.createPullThroughCacheRuleRequest, createPullThroughCacheRule),
  ],
  [
    'DescribePullThroughCacheRules',
    action(requests.describePullThroughCacheRulesRequest, describePullThroughCacheRules),
  ],
])

/**
 * ECR as far as one can ask it whether an image exists. It keeps names and digests and no layers: local tasks are child
 * processes and pull nothing. Only the registry of this account is here, as for a caller without rights in others.
 */
export async function createEcr({ dataDir, region, accountId, nowMs, log }: EcrOptions): Promise<Ecr> {
  const world: World = { store: await openStore(dataDir), region, accountId, nowMs }
  return {
    async call(name, input) {
      const found = actions.get(name)
      if (found === undefined) return unknownOperation(`AmazonEC2ContainerRegistry_V20150921.${name}`)
      try {
        return { status: 200, body: await found(world, input) }
      } catch (error) {
        if (error instanceof EcrError) return refusal(error.type, error.message)
        log.error({ action: name, err: error }, 'call failed')
        return refusal('ServerException', 'The local ECR failed; its log says how.', 500)
      }
    },
  }
}

function action<Schema extends z.ZodType<{ registryId?: string | undefined }>>(
  schema: Schema,
  run: (world: World, request: z.infer<Schema>) => unknown,
): Action {
  return (world, input) => {
    const parsed = schema.safeParse(input ?? {})
    if (!parsed.success) {
      const [issue] = parsed.error.issues
      const where = issue?.path.join('.') || 'request'
      throw new EcrError(
        'InvalidParameterException',
        `Invalid parameter at '${where}' failed to satisfy constraint: ${issue?.message}`,
      )
    }
    const { registryId = world.accountId } = parsed.data
    if (registryId !== world.accountId)
      throw new EcrError(
        'AccessDeniedException',
        `The local ECR has the registry of account ${world.accountId} only, and not that of ${registryId}.`,
      )
    return run(world, parsed.data)
  }
}
