import type { z } from 'zod'
import { type Answer, unknownOperation } from '../answer.ts'
import { badRequest, internalFailure, TranscribeError, throttled } from './errors.ts'
import { deleteTranscriptionJob, getTranscriptionJob, listTranscriptionJobs } from './jobs.ts'
import { listRequest, nameRequest, startRequest } from './requests.ts'
import { startTranscriptionJob } from './start.ts'
import type { Log, World } from './world.ts'

type Action = {
  bucket: 'start' | 'get' | 'list' | 'delete'
  run(world: World, input: unknown): unknown
}

/** Every action. There is none that stops a job: AWS has none either. */
const actions = new Map<string, Action>([
  ['StartTranscriptionJob', action(startRequest, 'start', startTranscriptionJob)],
  ['GetTranscriptionJob', action(nameRequest, 'get', getTranscriptionJob)],
  ['ListTranscriptionJobs', action(listRequest, 'list', listTranscriptionJobs)],
  ['DeleteTranscriptionJob', action(nameRequest, 'delete', deleteTranscriptionJob)],
])

/** One call as the service answers it: faults before, throttle, the action itself, faults after. Never rejects. */
export async function call(world: World, name: string, input: unknown, log: Log): Promise<Answer> {
  const found = actions.get(name)
  if (found === undefined) return unknownOperation(`Transcribe.${name}`)
  try {
    if (await strikes(world, name, 'before')) return { drop: true }
    if (!world.throttle.allows(found.bucket)) throw throttled(world.settings.switches.rateRefusal)
    const body = await found.run(world, input)
    if (await strikes(world, name, 'after')) return { drop: true }
    return { status: 200, body }
  } catch (error) {
    if (error instanceof TranscribeError) return error.answer()
    log.error({ action: name, err: error }, 'call failed')
    return internalFailure('The local Transcribe failed; its log says how.').answer()
  }
}

function action<Schema extends z.ZodType>(
  schema: Schema,
  bucket: Action['bucket'],
  run: (world: World, request: z.infer<Schema>, input: unknown) => unknown,
): Action {
  return {
    bucket,
    run: (world, input) => {
      const parsed = schema.safeParse(input ?? {})
      if (parsed.success) return run(world, parsed.data, input)
      const [issue] = parsed.error.issues
      const where = issue?.path.join('.') || 'request'
      throw badRequest(
        `1 validation error detected: Value at '${where}' failed to satisfy constraint: ${issue?.message}`,
      )
    },
  }
}

/** The faults of a call at this moment; true when the connection is to be lost. */
async function strikes(world: World, name: string, when: 'before' | 'after'): Promise<boolean> {
  const { faults, clock } = world
  const isHere = (fault: { action: string }) => fault.action === '*' || fault.action === name
  const sleep = (ms: number) => new Promise<void>((resolve) => clock.setTimer(ms, resolve))

  if (when === 'before') {
    const delay = faults.strike('delay', isHere)
    if (delay) await sleep(delay.delayMs)
    const throttle = faults.strike('throttle', isHere)
    if (throttle) throw throttled(throttle.code)
  }
  if (faults.strike('error', (fault) => fault.when === when && isHere(fault))) {
    throw internalFailure('There was an internal error. Try your request again.')
  }
  const drop = faults.strike('drop', (fault) => fault.when === when && isHere(fault))
  if (drop === undefined) return false
  if (drop.hangMs > 0) await sleep(drop.hangMs)
  return true
}
