import type { RunTaskCommandInput } from '@aws-sdk/client-ecs'
import { checkAgainstDefinition, checkRunTask, providerFor } from './ecs-check.ts'
import { definitionOf } from './ecs-definitions.ts'
import { clientException, permanentErrors, throttled } from './ecs-errors.ts'
import type { Life } from './ecs-life.ts'
import { checkCluster } from './ecs-look.ts'
import type { Definition, Failure, Market, TokenRecord, World } from './ecs-records.ts'
import { newTask } from './ecs-task.ts'
import { answerAgain, fingerprintOf } from './ecs-tokens.ts'
import { apiView } from './ecs-view.ts'
import type { LaunchFate } from './ports.ts'

/** ECS's words in the forms that were seen of them: no reader may hang on an apostrophe. */
const words = {
  capacity: [
    'Capacity is unavailable at this time. Please try again later or in a different availability zone',
  ],
  noSpotCapacity: ['RESOURCE:FARGATE'],
  quota: [
    "You've reached the limit on the number of vCPUs you can run concurrently",
    'You’ve reached the limit on the number of vCPUs you can run concurrently',
    "You've reached the limit on the number of tasks you can run concurrently",
  ],
} as const

/** RunTask, for one task. A token that is known gives its first answer; a new one is launched as fate will have it. */
export function runTask(world: World, life: Life, input: RunTaskCommandInput): object {
  checkRunTask(input)
  checkCluster(world, input.cluster)
  const fingerprint = fingerprintOf(input)
  const before = answerAgain(world, input.clientToken, fingerprint)
  if (before) return before

  const definition = definitionOf(world, input.taskDefinition ?? '')
  if (definition === undefined) throw clientException('TaskDefinition not found.')
  const size = checkAgainstDefinition(input, definition)
  const provider = providerFor(input)

  const answer = launch(world, life, { input: copyOf(input), definition, size, provider })
  const isUsed = answer.is !== 'failures' || world.settings.failuresOnlyToken === 'consumed'
  if (input.clientToken !== undefined && isUsed) {
    const usedAtMs = world.ports.time.nowMs()
    world.tokens.set(input.clientToken, { fingerprint, usedAtMs, answer })
  }
  return shown(world, answer)
}

export type Launch = {
  input: RunTaskCommandInput
  definition: Definition
  size: { cpu: number; memory: number }
  provider: string | undefined
}

function launch(world: World, life: Life, request: Launch): TokenRecord['answer'] {
  const { hooks, settings } = world
  const { random } = world.ports
  const market: Market = request.provider === 'FARGATE_SPOT' ? 'spot' : 'onDemand'
  const refused = (...failures: Failure[]): TokenRecord['answer'] => ({ is: 'failures', failures })
  // With one task per call the bucket of the calls is empty first; this one is here for whoever changes either.
  if (!world.takes(market)) throw throttled()
  if (world.usedVcpus[market] + request.size.cpu / 1_024 > settings.vcpuQuota[market]) {
    return refused({ reason: random.pick(words.quota) })
  }

  const fate: LaunchFate = hooks.fateOf({ ...request.input })
  if (fate.answer === 'permanent') return { is: 'refused', error: random.pick(permanentErrors) }
  const start = () => {
    const task = newTask(world, request, fate)
    life.begin(task, { startMs: fate.startMs, failure: fate.startFailure })
    return task
  }
  if (fate.answer === 'task') return { is: 'task', task: start() }
  if (fate.hiddenTask) start()
  return refused({ reason: random.pick<string>(words[fate.answer]) })
}

function shown(world: World, answer: TokenRecord['answer']): object {
  switch (answer.is) {
    case 'task':
      return {
        tasks: [apiView(answer.task, world.settings.cluster, world.ports.time.nowMs())],
        failures: [],
      }
    case 'failures':
      return { tasks: [], failures: answer.failures }
    case 'refused':
      throw answer.error()
    default:
      throw answer satisfies never
  }
}

/** The caller keeps its own request, whatever it does to it afterwards. */
const copyOf = (input: RunTaskCommandInput): RunTaskCommandInput => structuredClone(input)
