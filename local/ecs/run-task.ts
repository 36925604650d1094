import {
  capacityUnavailable,
  failure,
  noSpotCapacity,
  pickProviders,
  usedVcpus,
  vcpuQuotaReached,
} from './capacity.ts'
import { clusterOf } from './clusters.ts'
import { definitionOf } from './definitions.ts'
import { clientException, conflict, throttled } from './errors.ts'
import { newTask } from './launch.ts'
import type { ClusterRecord, DefinitionRecord, Failure, Market, Provider, TaskRecord } from './records.ts'
import type { RunTask, StrategyItem } from './requests.ts'
import { apiView } from './tasks.ts'
import { fingerprintOf, judgeToken, type TokenVerdict, tokenKey } from './tokens.ts'
import { checkAgainstDefinition, checkRunTask, type Size, strategyFor } from './validate.ts'
import { stoppedTaskView } from './view.ts'
import type { World } from './world.ts'

type Answer = { tasks: Record<string, unknown>[]; failures: readonly object[] }

/**
 * RunTask. What it starts, what it refuses and what the clientToken now stands for are recorded in one moment and are on
 * disk before the answer goes out, so a lost answer can always be asked for again.
 */
export async function runTask(world: World, request: RunTask): Promise<Answer> {
  checkRunTask(request)
  const cluster = clusterOf(world, request.cluster)
  const { clientToken, cluster: _, ...parameters } = request
  const key = clientToken === undefined ? undefined : tokenKey(cluster.name, clientToken)
  const fingerprint = fingerprintOf(parameters)

  const verdict = key === undefined ? ({ kind: 'fresh' } as const) : verdictOn(world, key, fingerprint)
  if (verdict.kind === 'conflict') throw conflict(verdict.resourceIds)
  if (verdict.kind === 'replay') {
    await world.store.flush()
    return replay(world, verdict)
  }

  const definition = definitionOf(world, request.taskDefinition)
  if (definition === undefined) throw clientException('TaskDefinition not found.')
  const size = checkAgainstDefinition(request, definition)
  const strategy = strategyFor(request, cluster)
  const providers = providersFor(strategy, request.count)

  const { started, failures } = launchAll(world, request, { cluster, definition, size, providers, key })
  const isUsed = started.length > 0 || world.settings.switches.failuresOnlyToken === 'consumed'
  if (key !== undefined && isUsed) {
    const taskArns = started.map(({ arn }) => arn)
    world.store.put('tokens', key, { key, fingerprint, taskArns, failures, usedMs: world.clock.nowMs() })
  }
  await world.store.flush()
  return { tasks: started.map((task) => apiView(world, task, { hasTags: true })), failures }
}

function verdictOn(world: World, key: string, fingerprint: string): TokenVerdict {
  const { store, settings, clock } = world
  forgetOldTokens(world)
  const record = store.tokens.get(key)
  const stops = (record?.taskArns ?? []).map((arn) => {
    const task = taskBy(world, arn)
    // A task that is remembered no more stopped longer ago than a token lives beyond its stop.
    return task === undefined ? 0 : (task.stoppedMs ?? null)
  })
  return judgeToken(record, fingerprint, lastOf(stops), clock.nowMs(), {
    lifetimeMs: settings.tokenLifetimeMs,
    afterStopMs: settings.tokenAfterStopMs,
    failuresOnlyMs: settings.switches.failuresOnlyTokenMs,
  })
}

const lastOf = (stops: readonly (number | null)[]): number | null =>
  stops.reduce((last, stop) => (last === null || stop === null ? null : Math.max(last, stop)), 0)

/** Tokens lie in the order of their use, so the old ones come first. */
function forgetOldTokens({ store, settings, clock }: World): void {
  const oldestMs = clock.nowMs() - Math.max(settings.tokenLifetimeMs, settings.switches.failuresOnlyTokenMs)
  for (const { key, usedMs } of store.tokens.values()) {
    if (usedMs > oldestMs) return
    store.remove('tokens', key)
  }
}

/** The first answer again; of tasks that have stopped since, only who they are and that they stopped. */
function replay(world: World, { taskArns, failures }: Extract<TokenVerdict, { kind: 'replay' }>): Answer {
  const tasks = taskArns.map((arn) => {
    const task = taskBy(world, arn)
    return task === undefined || task.state === 'STOPPED'
      ? stoppedTaskView(arn)
      : apiView(world, task, { hasTags: true })
  })
  return { tasks, failures }
}

const taskBy = (world: World, arn: string): TaskRecord | undefined =>
  world.store.tasks.get(world.arns.taskReference(arn)?.taskId ?? '')

function launchAll(
  world: World,
  request: RunTask,
  from: {
    cluster: ClusterRecord
    definition: DefinitionRecord
    size: Size
    providers: readonly (Provider | undefined)[]
    key: string | undefined
  },
): { started: TaskRecord[]; failures: Failure[] } {
  const started: TaskRecord[] = []
  const failures: Failure[] = []
  const isRefusedWhole = world.settings.switches.launchBucketRefusal === 'exception'
  for (const market of ['on-demand', 'spot'] as const) {
    const count = from.providers.filter((provider) => marketOf(provider) === market).length
    if (isRefusedWhole && count > 0 && !mayLaunch(world, market, count)) throw throttled()
  }
  for (const provider of from.providers) {
    const market = marketOf(provider)
    const refusal =
      !isRefusedWhole && !mayLaunch(world, market, 1)
        ? failure('Rate exceeded')
        : refusalOf(world, market, from.size.cpu / 1_024)
    const fault = refusal
      ? undefined
      : world.faults.strike('capacity', (one) => one.market === undefined || one.market === market)
    if (refusal) failures.push(refusal)
    if (fault)
      failures.push(failure(fault.reason ?? (market === 'spot' ? noSpotCapacity : capacityUnavailable)))
    if (refusal || (fault && !fault.runs)) continue

    const task = newTask(world, request, { ...from, provider, tokenKey: from.key })
    world.runtime.launch(task)
    // A task behind a failure runs, but the answer does not know it.
    if (!fault) started.push(task)
  }
  return { started, failures }
}

/** A task by launch type has no provider; strategies were checked to name only the two of Fargate. */
const providersFor = (strategy: readonly StrategyItem[], count: number): (Provider | undefined)[] =>
  strategy.length === 0
    ? Array.from({ length: count }, () => undefined)
    : pickProviders(strategy, count).map((name) => (name === 'FARGATE_SPOT' ? name : 'FARGATE'))

const marketOf = (provider: Provider | undefined): Market =>
  provider === 'FARGATE_SPOT' ? 'spot' : 'on-demand'

const mayLaunch = (world: World, market: Market, count: number): boolean =>
  world.throttle.allows(market === 'spot' ? 'launchSpot' : 'launchOnDemand', count)

function refusalOf(world: World, market: Market, vcpus: number): Failure | undefined {
  const { onDemand, spot } = world.settings.vcpuQuota
  const quota = market === 'spot' ? spot : onDemand
  const isOver = usedVcpus(world.store.tasks.values(), market) + vcpus > quota
  return isOver ? failure(vcpuQuotaReached) : undefined
}
