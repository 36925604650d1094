import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  CreateClusterCommand,
  DeregisterTaskDefinitionCommand,
  RegisterTaskDefinitionCommand,
} from '@aws-sdk/client-ecs'
import { manualClock, startEcs } from '../local/ecs-setup.ts'
import { type NextLaunch, type StartSubject, stopTimeoutMs } from './ecs-subject.ts'

const stepMs = 100

/** A process that waits to be told its exit code, and minds SIGTERM as its environment says. */
const script = `case "$ON_TERM" in
  ignore) trap '' TERM ;;
  ?*) trap "exit $ON_TERM" TERM ;;
esac
mkfifo "$WORK_DIR/end" && exec 3<>"$WORK_DIR/end" && : > "$WORK_DIR/ready"
read code <&3
exit "$code"`

/** The local ECS behind a real port, spoken to by the real SDK; its tasks are real processes, its clock moves when told to. */
export const startLocal: StartSubject = async (quota = {}) => {
  const clock = manualClock()
  const local = await startEcs({
    clock,
    settings: {
      timeline: {
        provisioningMs: stepMs,
        pendingMs: stepMs,
        pullMs: stepMs,
        activatingMs: stepMs,
        noticeMs: stepMs,
        deactivatingMs: stepMs,
        stoppingMs: stepMs,
        deprovisioningMs: stepMs,
      },
      vcpuQuota: { onDemand: 1_000, spot: 1_000, ...quota },
      // As often as Fargate does, a fresh task shows none.
      switches: { containersWhileProvisioning: false },
      // Hours of such a clock pass in no time, with four looks a second of it.
      memoryWatchMs: 864_000_000,
      closeGraceMs: 50,
    },
  })
  const { client } = local
  const control = async (method: string, path: string, body?: object) => {
    const { status, body: said } = await local.control(method, path, body)
    if (status !== 200) throw new Error(`${method} ${path}: ${JSON.stringify(said)}`)
  }
  const ofTask = (arn: string, verb: string) => control('POST', `/tasks/${idOf(arn)}/${verb}`, {})
  const inTask = (arn: string, file: string) => join(local.dataDir, 'scratch', idOf(arn), file)
  const ready = async (arn: string) => {
    for (let waitedMs = 0; !existsSync(inTask(arn, 'ready')); waitedMs += 2) {
      if (waitedMs > 10_000) throw new Error(`the process of ${arn} is not ready`)
      await sleep(2)
    }
  }

  await client.send(
    new CreateClusterCommand({ clusterName: 'jobs', capacityProviders: ['FARGATE', 'FARGATE_SPOT'] }),
  )
  for (const family of ['worker', 'worker', 'pair']) await client.send(definition(family))

  return {
    is: 'local',
    send: client.send.bind(client),
    nowMs: clock.nowMs,
    pass: async (ms) => {
      // Between two steps the real processes get a moment to start and to end.
      const steps = Math.min(10, Math.max(1, Math.ceil(ms / stepMs)))
      for (let left = steps, leftMs = ms; left > 0; left -= 1) {
        const stepOfMs = Math.ceil(leftMs / left)
        clock.advance(stepOfMs)
        leftMs -= stepOfMs
        await sleep(2)
      }
    },
    next: (launch) => control('POST', '/faults', faultsOf(launch)),
    ready,
    end: async (arn, exitCode) => {
      await ready(arn)
      const pipe = await open(inTask(arn, 'end'), 'w')
      const stream = pipe.createWriteStream()
      stream.end(`${exitCode}\n`)
      await once(stream, 'close')
    },
    outOfMemory: async (arn) => {
      await ready(arn)
      await ofTask(arn, 'oom')
    },
    reclaim: (arn) => ofTask(arn, 'interrupt'),
    maintain: (arn) => ofTask(arn, 'stop'),
    deploy: async (retire) => {
      const { taskDefinition } = await client.send(definition('worker'))
      const older = Array.from({ length: (taskDefinition?.revision ?? 1) - 1 }, (_, index) => index + 1)
      for (const revision of retire ? older : []) {
        await client.send(new DeregisterTaskDefinitionCommand({ taskDefinition: `worker:${revision}` }))
      }
    },
    get events() {
      return local.events.map(({ detail }) => detail)
    },
    close: local.close,
  }
}

const idOf = (arn: string): string => arn.slice(-32)

const definition = (family: string) => {
  const container = (name: string, command: string) => ({
    name,
    image: `${name}:1`,
    command: ['/bin/sh', '-c', command],
    stopTimeout: stopTimeoutMs / 1_000,
    logConfiguration: { logDriver: 'awslogs' as const, options: { 'awslogs-stream-prefix': 'logs' } },
  })
  return new RegisterTaskDefinitionCommand({
    family,
    networkMode: 'awsvpc',
    requiresCompatibilities: ['FARGATE'],
    cpu: '256',
    memory: '512',
    containerDefinitions: [
      ...(family === 'pair' ? [container('side', 'exec sleep 60')] : []),
      container('worker', script),
    ],
  })
}

const faultsOf = ({ answer, hiddenTask, invisibleForMs, startFailure, stuck }: NextLaunch): object[] => [
  ...(answer ? [{ kind: 'capacity', runs: hiddenTask ?? false }] : []),
  ...(invisibleForMs === undefined ? [] : [{ kind: 'hidden', durationMs: invisibleForMs }]),
  ...(startFailure === undefined
    ? []
    : [{ kind: 'startFailure', state: 'PROVISIONING', reason: startFailure }]),
  ...(stuck ? [{ kind: 'startFailure', state: 'PROVISIONING', afterMs: 30 * 60_000 }] : []),
]
