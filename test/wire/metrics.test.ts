import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cloudWatch, type MetricName } from '../../schemas/metrics.ts'
import { type ControllerProcess, spawnController } from '../support/controller.ts'
import { type Operator, startOperator } from '../support/operator.ts'
import { until } from '../support/wait.ts'

// The controller as a process, and what CloudWatch would read from its output.

let operator: Operator

beforeAll(async () => {
  operator = await startOperator({ MAX_VCPU: '100', DEFAULT_KIND: 'none' })
  // Only its AWS is wanted here: the controllers of these tests are processes.
  await operator.controller.stop()
})
afterAll(() => operator.aws.close())

const start = (environment: Record<string, string> = {}): ControllerProcess =>
  spawnController(operator.aws, {
    entry: 'test/support/emf-controller.ts',
    environment: { EMF_METRICS: 'on', QUEUES: '{"closed": {"maxRunning": 0}}', ...environment },
  })

type Line = Record<string, unknown> & {
  _aws: {
    Timestamp: number
    CloudWatchMetrics: {
      Namespace: string
      Dimensions: string[][]
      Metrics: { Name: MetricName; Unit: string }[]
    }[]
  }
}
const emfLines = (of: ControllerProcess): Line[] =>
  of.lines().filter((line): line is Line => Object.hasOwn(line, '_aws'))

const valuesOf = (lines: readonly Line[], name: MetricName): number[] =>
  lines.flatMap((line) => (line[name] === undefined ? [] : (line[name] as number | number[])))
const sumOf = (lines: readonly Line[], name: MetricName): number =>
  valuesOf(lines, name).reduce((sum, value) => sum + value, 0)

describe('a controller with EMF_METRICS=on', () => {
  test('writes what happened, as lines of their own that CloudWatch can read', async () => {
    const leader = start()
    await until('it to lead', () => valuesOf(emfLines(leader), 'Leader').includes(1))
    const standby = start({ LOG_FORMAT: 'pretty' })

    await operator.aws.control('POST', '/faults', { kind: 'throttle', action: 'RunTask', count: 1 })
    await operator.run('good', 'exit 0')
    await operator.phase('good', 'Succeeded')
    await operator.aws.control('POST', '/faults', { kind: 'capacity', count: 1 })
    await operator.run('scarce', 'exit 0')
    await operator.phase('scarce', 'Succeeded')
    await operator.run('bad', 'exit 65')
    await operator.phase('bad', 'Failed')
    await operator.put('misnamed', { kind: 'transcoding', spec: {} })
    await operator.phase('misnamed', 'Failed')
    await operator.run('waiting', 'exit 0', { queue: 'closed' })
    await until('the line to be seen', () => valuesOf(emfLines(leader), 'OldestPending').some((s) => s > 1))
    await until('the standby to speak', () => emfLines(standby).length > 2)

    const url = await until('the controller to listen', () => leader.url())
    const text = await (await fetch(`${url}/metrics`)).text()
    await standby.end('SIGTERM')
    expect(await leader.end('SIGTERM')).toEqual({ code: 0, signal: null })
    const lines = emfLines(leader)

    for (const line of lines) {
      const [{ Namespace, Dimensions, Metrics } = { Namespace: '', Dimensions: [], Metrics: [] }] =
        line._aws.CloudWatchMetrics
      expect({ Namespace, Dimensions, Installation: line.Installation }).toEqual({
        Namespace: 'EcsJobOperator',
        Dimensions: [['Installation']],
        Installation: 'local',
      })
      expect(Math.abs(Date.now() - line._aws.Timestamp)).toBeLessThan(120_000)
      for (const { Name, Unit } of Metrics) {
        expect(Unit).toBe(cloudWatch.metrics[Name].unit)
        for (const value of valuesOf([line], Name)) expect(value).toBeGreaterThanOrEqual(0)
        expect(valuesOf([line], Name).length).toBeGreaterThan(0)
      }
      expect(Object.keys(line)).toHaveLength(Metrics.length + 2)
    }
    const sums = Object.fromEntries(
      (['Launches', 'FailedLaunches', 'Throttles', 'JobErrors', 'JobsSucceeded', 'JobsFailed'] as const).map(
        (name) => [name, sumOf(lines, name)],
      ),
    )
    expect(sums).toEqual({
      ...{ Launches: 3, FailedLaunches: 1, Throttles: 1 },
      ...{ JobErrors: 0, JobsSucceeded: 2, JobsFailed: 2 },
    })
    expect(valuesOf(lines, 'JobDuration')).toHaveLength(3)
    expect(valuesOf(lines, 'PendingJobs').at(-1)).toBe(1)
    expect(Math.max(...valuesOf(lines, 'UsedVcpu'))).toBeGreaterThan(0)
    expect(lines.at(-1)?.Leader).toBe(0)

    const others = emfLines(standby).filter(({ Leader: leads }) => leads === 0)
    expect(others.length).toBeGreaterThan(2)
    for (const line of others.slice(0, 3)) expect(line).not.toHaveProperty('Launches')

    for (const series of [
      'launches_total{result="started"} 3',
      'launches_total{result="capacity"} 1',
      'launches_total{result="unanswered"} 1',
      'aws_throttles_total{service="ecs"} 1',
    ])
      expect(text).toContain(series)
    expect(text).toMatch(/^admission_oldest_pending_seconds \d+\.\d+$/m)
  })
})

test('without EMF_METRICS there is no such line', async () => {
  const controller = start({ EMF_METRICS: 'off' })
  await until('it to lead', () => controller.lines().some(({ term }) => term !== undefined))
  await new Promise((resolve) => setTimeout(resolve, 700))
  await controller.end('SIGTERM')
  expect(emfLines(controller)).toEqual([])
})
