import { z } from 'zod'
import { WorkerError } from './errors.ts'
import { type Patience, withPatience } from './patience.ts'

const taskMetadataSchema = z.object({ TaskARN: z.string().min(1) })
const requestTimeoutMs = 3000

/**
 * Our own ARN, from the task metadata endpoint (ECS developer guide, task metadata endpoint version 4).
 * @param metadataUri value of ECS_CONTAINER_METADATA_URI_V4
 * @throws WorkerError METADATA_UNAVAILABLE
 */
export const readTaskArn = async (
  metadataUri: string,
  patience: Omit<Patience, 'worthwhile'>,
): Promise<string> => {
  try {
    return await withPatience(() => ask(metadataUri), { ...patience, worthwhile: () => true })
  } catch (error) {
    patience.signal.throwIfAborted()
    throw new WorkerError('METADATA_UNAVAILABLE', error instanceof Error ? error.message : String(error))
  }
}

const ask = async (metadataUri: string): Promise<string> => {
  const answer = await fetch(`${metadataUri}/task`, { signal: AbortSignal.timeout(requestTimeoutMs) })
  if (!answer.ok) throw new Error(`${metadataUri}/task answered with status ${answer.status}`)
  return taskMetadataSchema.parse(await answer.json()).TaskARN
}
