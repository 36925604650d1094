import { isTerminal } from '../schemas/job.ts'
import { type Item, sizeOf } from '../test/sim/aws/dynamo-values.ts'
import type { ModelTask } from '../test/sim/aws/ports.ts'
import type { Call } from '../test/sim/network.ts'
import { createStages } from './drain-stages.ts'

export type Tally = ReturnType<typeof createTally>

/** DynamoDB developer guide, capacity units. */
const readUnitBytes = 4096
const writeUnitBytes = 1024

/**
 * Counts what happens in a drain, at the moment of its effect: calls, capacity units, launches, and when each job came to
 * each of its stages.
 * @param nowMs true time, from the start of the drain
 * @param statusOf what a task truly is
 */
export function createTally(nowMs: () => number, statusOf: (taskArn: string) => string | undefined) {
  const calls = new Map<string, number>()
  const writes = new Map<string, number>()
  const complaints = new Map<string, number>()
  const launchesAtMs: number[] = []
  const perSecond = { writes: new Map<number, number>(), index: new Map<string, number>() }
  const units = { read: 0, write: 0 }
  const stages = createStages(nowMs)
  let writer: 'controller' | 'worker' | 'user' = 'user'
  let refusedWrites = 0
  let finished = 0

  return {
    calls,
    /** Writes of job records by what they did: `controller: Pending -> Starting`. */
    writes,
    complaints,
    launchesAtMs,
    units,
    stages,
    finished: (): number => finished,
    refusedWrites: (): number => refusedWrites,

    /** Forgets all that was counted so far: the start of the controller is not part of the drain. */
    reset(): void {
      for (const counted of [calls, writes, complaints, perSecond.writes, perSecond.index]) counted.clear()
      Object.assign(units, { read: 0, write: 0 })
      refusedWrites = 0
    },

    /** One call with its effect. */
    call(call: Call, run: () => object): object {
      const before = writer
      writer = call.process.name === 'worker' ? 'worker' : 'controller'
      add(calls, `${writer} ${nameOf(call)}`)
      if (call.action === 'StopTask') noteStop(call)
      try {
        const output = run()
        if (call.action === 'RunTask') launched(call, output)
        if (call.service === 'dynamo') units.read += readUnits(call, output)
        return output
      } catch (error) {
        if ((error as Error).name === 'ConditionalCheckFailedException') {
          refusedWrites += 1
          units.write += 1
        }
        throw error
      } finally {
        writer = before
      }
    },

    /** A record was written, whoever did it. */
    wrote(before: Item | undefined, after: Item | undefined): void {
      add(writes, `${writer} ${deedOf(writer, before, after)}`)
      const second = Math.floor(nowMs() / 1000)
      add(perSecond.writes, second)
      units.write += Math.ceil(Math.max(sizeOf(before ?? {}), sizeOf(after ?? {})) / writeUnitBytes)
      for (const hash of ['phase', 'backlogQueue']) {
        if (before?.[hash] === after?.[hash]) continue
        for (const value of [before?.[hash], after?.[hash]]) {
          if (value === undefined) continue
          units.write += 1
          add(perSecond.index, `${second} ${hash}=${String(value)}`)
        }
      }
      stages.wrote(before, after)
      if (isTerminal(String(after?.phase)) && !isTerminal(String(before?.phase))) finished += 1
    },

    running: (task: ModelTask): void => stages.reached(task.environment.JOB_ID ?? '', 'running'),
    complaint: (what: string): void => add(complaints, what),

    /** The busiest second: writes of records, and writes of the busiest partition of an index. */
    peaks: () => ({
      writes: Math.max(0, ...perSecond.writes.values()),
      index: [...perSecond.index].reduce((most, entry) => (entry[1] > most[1] ? entry : most), ['', 0]),
    }),
  }

  /** Where nothing ever goes wrong nobody has to be stopped. */
  function noteStop({ input }: Call): void {
    const { reason = '', task = '' } = input as { reason?: string; task?: string }
    add(complaints, `StopTask for ${reason.split(' ')[0]}: the task is ${statusOf(task)}`)
  }

  function launched(call: Call, output: object): void {
    const { tasks = [] } = output as { tasks?: object[] }
    if (tasks.length === 0) return
    launchesAtMs.push(nowMs())
    const { startedBy = '' } = call.input as { startedBy?: string }
    stages.reached(startedBy.split('/')[1] ?? '', 'launched')
  }
}

function nameOf({ service, action, input }: Call): string {
  const { TableName: table, IndexName: index, QueueUrl: url } = input as Record<string, string | undefined>
  const on = index ?? table ?? url?.split('/').at(-1)
  return `${service} ${action}${on === undefined ? '' : ` ${on}`}`
}

/** Strongly consistent reads take one unit for 4 KB, queries of an index half of that. */
function readUnits({ action }: Call, output: object): number {
  const { Item: item, Items: items } = output as { Item?: Item; Items?: Item[] }
  if (action === 'Get') return Math.max(1, Math.ceil(sizeOf(item ?? {}) / readUnitBytes))
  if (action !== 'Query' && action !== 'Scan') return 0
  return Math.max(1, Math.ceil(sizeOf(items ?? []) / readUnitBytes)) / 2
}

function deedOf(writer: string, before: Item | undefined, after: Item | undefined): string {
  if (before === undefined) return 'puts'
  if (writer === 'worker')
    return ['claim', 'progress', 'report'].find((name) => before[name] !== after?.[name]) ?? 'else'
  if (before.phase !== after?.phase) return `${String(before.phase)} -> ${String(after?.phase)}`
  return before.taskArn === after?.taskArn ? 'else' : 'ARN'
}

function add<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}
