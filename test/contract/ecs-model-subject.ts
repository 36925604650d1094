import type { ECSClient } from '@aws-sdk/client-ecs'
import { createEcsModel } from '../sim/aws/ecs.ts'
import type { Command, EcsModel, LaunchFate } from '../sim/aws/ports.ts'
import { createRandom } from '../support/random.ts'
import { createVirtualClock } from '../support/virtual-clock.ts'
import { type NextLaunch, type StartSubject, stopTimeoutMs } from './ecs-subject.ts'

/** The model of the simulation, with a main process that does what its environment says. */
export const startModel: StartSubject = async (quota = {}) => {
  const clock = createVirtualClock()
  const events: Record<string, unknown>[] = []
  let coming: NextLaunch[] = []
  const container = (name: string) => ({ name, stopTimeoutS: stopTimeoutMs / 1_000 })
  const worker = { family: 'worker', containers: [container('worker')], logPrefix: 'logs' }
  const pair = { ...worker, family: 'pair', containers: [container('side'), container('worker')] }

  const model: EcsModel & { deployRevision(retire: boolean): void } = createEcsModel(
    { time: clock, random: createRandom(1) },
    {
      fateOf: () => fateOf(coming.shift() ?? {}),
      onRunning: () => {},
      onTerminate: ({ arn, environment }) => {
        const { ON_TERM: does = '143' } = environment
        if (does !== 'ignore') clock.after(20, () => model.exit(arn, Number(does)))
      },
      onKilled: () => {},
      onEvent: (detail) => events.push(detail),
    },
    {
      cluster: 'jobs',
      definitions: [
        { ...worker, revision: 1 },
        { ...worker, revision: 2 },
        { ...pair, revision: 1 },
      ],
      vcpuQuota: { onDemand: 1_000, spot: 1_000, ...quota },
      buckets: 'real',
    },
  )

  const send = async (command: Command) => model.execute(command)
  return {
    is: 'model',
    send: send as unknown as ECSClient['send'],
    nowMs: clock.nowMs,
    pass: clock.pass,
    next: async (launch) => {
      coming = [...coming, launch]
    },
    ready: async () => {},
    end: async (arn, exitCode) => model.exit(arn, exitCode),
    outOfMemory: async (arn) =>
      model.exit(arn, 137, 'OutOfMemoryError: container killed due to memory usage'),
    reclaim: async (arn) => model.reclaim(arn),
    maintain: async (arn) => model.maintain(arn),
    deploy: async (retire) => model.deployRevision(retire),
    events,
    close: async () => {},
  }
}

const fateOf = ({ answer, hiddenTask, invisibleForMs, startFailure, stuck }: NextLaunch): LaunchFate => ({
  answer: answer ?? 'task',
  hiddenTask: hiddenTask ?? false,
  describedAfterMs: invisibleForMs ?? 0,
  listedAfterMs: invisibleForMs ?? 0,
  startMs: stuck ? Number.POSITIVE_INFINITY : 2_000,
  startFailure,
})
