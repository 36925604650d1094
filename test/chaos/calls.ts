import { parseFence, parseStartedBy } from '../../schemas/ids.ts'
import type { Call } from '../support/proxy.ts'

/** One UpdateItem as it stands on the wire: what it sets, in DynamoDB's own form. */
export type Update = { jobId: string | undefined; expression: string; sets: Record<string, AttributeValue> }
type AttributeValue = { S?: string; N?: string; M?: Record<string, AttributeValue> }

type Wire = {
  Key?: Record<string, AttributeValue>
  UpdateExpression?: string
  ExpressionAttributeNames?: Record<string, string>
  ExpressionAttributeValues?: Record<string, AttributeValue>
}

/** Undefined for every other call. */
export function readUpdate({ operation, body }: Call): Update | undefined {
  if (!operation.endsWith('.UpdateItem')) return undefined
  const wire = JSON.parse(body) as Wire
  const expression = wire.UpdateExpression ?? ''
  const [setPart = ''] = expression.split('REMOVE')
  const sets = [...setPart.matchAll(/([#\w]+) = (:\w+)/g)].map(([, name = '', value = '']) => [
    wire.ExpressionAttributeNames?.[name] ?? name,
    wire.ExpressionAttributeValues?.[value] ?? {},
  ])
  return { jobId: wire.Key?.jobId?.S, expression, sets: Object.fromEntries(sets) as Update['sets'] }
}

/** The task that a worker's write speaks for, by the ARN in its condition. */
export function taskOfWrite({ operation, body }: Call): string | undefined {
  if (!operation.endsWith('.UpdateItem')) return undefined
  const { ExpressionAttributeValues: values } = JSON.parse(body) as Wire
  return values?.[':taskArn']?.S
}

/** What a claim asks for: who wants to work for which fence. */
export function readClaim(call: Call): { jobId: string; fence: string; taskArn: string } | undefined {
  const update = readUpdate(call)
  if (update?.sets.claim === undefined || update.jobId === undefined) return undefined
  const { ExpressionAttributeValues: values } = JSON.parse(call.body) as Wire
  const [fence, taskArn] = [values?.[':fence']?.S, values?.[':taskArn']?.S]
  return fence === undefined || taskArn === undefined ? undefined : { jobId: update.jobId, fence, taskArn }
}

/** The job whose worker reports success. */
export function reportsDone(call: Call): string | undefined {
  const update = readUpdate(call)
  return update?.sets.report?.M?.outcome?.S === 'done' ? update.jobId : undefined
}

/** Whose task it is, by its `startedBy`. */
export function ownerOf(startedBy: string | undefined) {
  const owner = parseStartedBy(startedBy)
  const fence = owner && parseFence(owner.fence)
  return owner && fence ? { jobId: owner.jobId, fence: owner.fence, ...fence } : undefined
}
