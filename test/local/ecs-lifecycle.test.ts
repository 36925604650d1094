import { describe, expect, test } from 'vitest'
import { advance, type Happening, type LifecycleRules, type StartOutcome } from '../../local/ecs/lifecycle.ts'
import type { Stop, TaskRecord } from '../../local/ecs/records.ts'
import { ecsSettingsSchema } from '../../local/ecs/settings.ts'
import { containerRecord, taskRecord } from './ecs-setup.ts'

const rules: LifecycleRules = {
  timeline: {
    provisioningMs: 10,
    pendingMs: 20,
    pullMs: 30,
    activatingMs: 40,
    noticeMs: 1,
    deactivatingMs: 2,
    stoppingMs: 3,
    deprovisioningMs: 4,
  },
  versionStep: 1,
  silentStates: [],
}

const due: Happening = { kind: 'due' }
const exited = (name: string, exitCode = 0): Happening => ({ kind: 'exited', container: name, exitCode })
const stop = (code: Stop['code'], reason = 'because'): Happening => ({ kind: 'stop', stop: { code, reason } })

/**
 * Plays a life: every timer at its time, containers start when told to; `then` happens at its moment. Returns what was seen:
 * one line per version, with the effects that went along.
 */
function live(
  first: TaskRecord,
  then: readonly (readonly [atMs: number, Happening])[],
  outcome: (name: string) => StartOutcome = () => ({ pid: 1, processMark: '1' }),
) {
  let now = first
  const seen: string[] = []
  const effects: string[] = []
  const apply = (happening: Happening, nowMs: number) => {
    const before = now
    const { task: after, effects: asked } = advance(now, happening, nowMs, rules)
    now = after
    for (const effect of asked) effects.push(`${nowMs} ${effect}`)
    if (after.version !== before.version) {
      seen.push(`${nowMs} ${after.state}/${after.desiredStatus} v${after.version}`)
    }
    if (asked.includes('startContainers')) {
      const outcomes = new Map(after.containers.map(({ name }) => [name, outcome(name)]))
      apply({ kind: 'started', outcomes }, nowMs)
    }
  }
  const waiting = [...then]
  for (let nowMs = 0; nowMs <= 1_000; nowMs += 1) {
    const runTimers = () => {
      while (now.dueMs !== null && now.dueMs <= nowMs) apply(due, nowMs)
    }
    runTimers()
    while (waiting[0] && waiting[0][0] <= nowMs) apply(waiting.shift()?.[1] ?? due, nowMs)
    runTimers()
  }
  return { task: now, seen, effects }
}

describe('a life', () => {
  test('walks every state on the clock, with a timestamp at each transition', () => {
    const { task: end, seen, effects } = live(taskRecord(), [[200, exited('main', 3)]])
    expect(seen).toEqual([
      '10 PENDING/RUNNING v2',
      '30 ACTIVATING/RUNNING v3',
      '100 RUNNING/RUNNING v4',
      '200 RUNNING/STOPPED v5',
      '201 DEACTIVATING/STOPPED v6',
      '203 STOPPING/STOPPED v7',
      '206 DEPROVISIONING/STOPPED v8',
      '210 STOPPED/STOPPED v9',
    ])
    expect(effects).toEqual(['100 startContainers', '203 stopContainers', '210 cleanUp'])
    expect(end).toMatchObject({
      connectivityMs: 10,
      pullStartedMs: 30,
      pullStoppedMs: 60,
      startedMs: 100,
      executionStoppedMs: 200,
      stoppingMs: 203,
      stoppedMs: 210,
      dueMs: null,
      stop: { code: 'EssentialContainerExited', reason: 'Essential container in task exited' },
      containers: [{ status: 'STOPPED', exitCode: 3, finishedMs: 200 }],
    })
  })

  test('of a stopped task: desiredStatus at once, signals in STOPPING, the end after the last container', () => {
    const {
      task: end,
      seen,
      effects,
    } = live(taskRecord(), [
      [200, stop('UserInitiated', 'cancelled')],
      [300, exited('main', 143)],
    ])
    expect(seen.slice(3)).toEqual([
      '200 RUNNING/STOPPED v5',
      '201 DEACTIVATING/STOPPED v6',
      '203 STOPPING/STOPPED v7',
      '300 STOPPING/STOPPED v8',
      '300 DEPROVISIONING/STOPPED v9',
      '304 STOPPED/STOPPED v10',
    ])
    expect(effects).toContain('203 stopContainers')
    expect(end).toMatchObject({
      stop: { code: 'UserInitiated', reason: 'cancelled' },
      executionStoppedMs: 300,
      containers: [{ exitCode: 143 }],
    })
  })

  test.for([
    [5, ['6 DEPROVISIONING', '10 STOPPED'], { stoppingMs: 6 }],
    [15, ['16 DEPROVISIONING', '20 STOPPED'], { connectivityMs: 10, stoppingMs: 16 }],
    [50, ['51 STOPPING', '54 DEPROVISIONING', '58 STOPPED'], { pullStartedMs: 30, stoppingMs: 51 }],
  ] as const)('stopped at %i ms never starts a container', ([atMs, states, times]) => {
    const { task: end, seen, effects } = live(taskRecord(), [[atMs, stop('UserInitiated')]])
    expect(seen.slice(-states.length).map((line) => line.replace(/\/.*/, ''))).toEqual(states)
    expect(effects).not.toContain('startContainers')
    expect(end).toMatchObject({ ...times, containers: [{ status: 'STOPPED' }] })
    expect(end.containers[0]).not.toHaveProperty('exitCode')
    expect(end).not.toHaveProperty('startedMs')
    expect(end).not.toHaveProperty('executionStoppedMs')
  })

  test('the first essential exit stops the others', () => {
    const pair = taskRecord({
      containers: [containerRecord('main'), containerRecord('side', { essential: false })],
    })
    const { task: end, effects } = live(pair, [
      [200, exited('main', 0)],
      [250, exited('side', 143)],
    ])
    expect(effects).toEqual(['100 startContainers', '203 stopContainers', '254 cleanUp'])
    expect(end).toMatchObject({ executionStoppedMs: 200, stoppedMs: 254 })
    expect(end.containers.map(({ exitCode }) => exitCode)).toEqual([0, 143])
  })

  test('goes on when a container ends that is not essential', () => {
    const pair = taskRecord({
      containers: [containerRecord('main'), containerRecord('side', { essential: false })],
    })
    const { task: now, seen } = live(pair, [[200, exited('side', 1)]])
    expect(seen.at(-1)).toBe('200 RUNNING/RUNNING v5')
    expect(now.containers.map(({ status }) => status)).toEqual(['RUNNING', 'STOPPED'])
    expect(now.executionStoppedMs).toBeUndefined()
  })

  test('ends without an exit code when a container does not start; the others are stopped', () => {
    const pair = taskRecord({ containers: [containerRecord('main'), containerRecord('bad')] })
    const { task: end, effects } = live(pair, [[200, exited('main', 143)]], (name) =>
      name === 'bad' ? { failure: 'CannotStartContainerError: no' } : { pid: 1, processMark: '1' },
    )
    expect(effects).toContain('101 stopContainers')
    expect(end).toMatchObject({
      state: 'STOPPED',
      stop: { code: 'TaskFailedToStart', reason: 'CannotStartContainerError: no' },
      containers: [{ exitCode: 143 }, { reason: 'CannotStartContainerError: no' }],
    })
    expect(end).not.toHaveProperty('startedMs')
  })

  test('cannot end twice, and a second cause changes nothing', () => {
    const { task: end } = live(taskRecord(), [
      [200, stop('UserInitiated', 'first')],
      [200, stop('InfrastructureHealth', 'second')],
      [201, exited('main', 143)],
      [202, exited('main', 0)],
      [500, stop('UserInitiated', 'late')],
    ])
    expect(end).toMatchObject({
      stop: { code: 'UserInitiated', reason: 'first' },
      containers: [{ exitCode: 143 }],
    })
    expect(advance(end, stop('UserInitiated'), 999, rules).task).toBe(end)
    expect(advance(end, due, 999, rules).task).toBe(end)
  })

  test('an early timer changes nothing', () => {
    const young = taskRecord()
    expect(advance(young, due, 9, rules).task).toBe(young)
  })
})

describe('a Spot interruption', () => {
  test('is a notice while RUNNING, with signals at once, and ends as SpotInterruption', () => {
    const {
      task: end,
      seen,
      effects,
    } = live(taskRecord(), [
      [200, stop('SpotInterruption', 'Your Spot Task was interrupted.')],
      [300, exited('main', 0)],
    ])
    expect(seen.slice(4)).toEqual([
      '300 RUNNING/STOPPED v6',
      '301 DEACTIVATING/STOPPED v7',
      '303 STOPPING/STOPPED v8',
      '306 DEPROVISIONING/STOPPED v9',
      '310 STOPPED/STOPPED v10',
    ])
    expect(effects[1]).toBe('200 stopContainers')
    // A graceful exit 0 does not hide why.
    expect(end).toMatchObject({
      stop: { code: 'SpotInterruption', reason: 'Your Spot Task was interrupted.' },
      containers: [{ exitCode: 0 }],
    })
  })

  test('says TerminationNotice until the containers have ended', () => {
    const { task: now } = live(taskRecord(), [[200, stop('SpotInterruption')]])
    expect(now).toMatchObject({
      state: 'RUNNING',
      desiredStatus: 'STOPPED',
      stop: { code: 'TerminationNotice' },
    })
  })

  test('of a task that does not run yet needs no notice', () => {
    const { task: end } = live(taskRecord(), [[5, stop('SpotInterruption')]])
    expect(end).toMatchObject({ state: 'STOPPED', stop: { code: 'SpotInterruption' } })
  })
})

describe('a start that is going to fail', () => {
  const failing: Stop = { code: 'TaskFailedToStart', reason: 'no network' }

  test('hangs in PROVISIONING as long as it should', () => {
    const stuck = taskRecord({ dueMs: 500, doom: { state: 'PROVISIONING', stop: failing, afterMs: 500 } })
    const { task: end, seen } = live(stuck, [])
    expect(seen[0]).toBe('500 PROVISIONING/STOPPED v2')
    expect(end).toMatchObject({ state: 'STOPPED', stop: failing })
    expect(end.connectivityMs).toBeUndefined()
  })

  test('fails in the pull', () => {
    const { task: end, effects } = live(taskRecord({ doom: { state: 'ACTIVATING', stop: failing } }), [])
    expect(end).toMatchObject({ state: 'STOPPED', stop: failing, pullStartedMs: 30 })
    expect(end.pullStoppedMs).toBeUndefined()
    expect(effects).not.toContain('startContainers')
  })

  test('is not waited for when the task is stopped before', () => {
    const stuck = taskRecord({ dueMs: 500, doom: { state: 'PROVISIONING', stop: failing, afterMs: 500 } })
    const { task: end } = live(stuck, [[5, stop('UserInitiated')]])
    expect(end).toMatchObject({ stop: { code: 'UserInitiated' }, stoppedMs: 10 })
  })
})

describe('a host that lost its containers', () => {
  const lost: Happening = { kind: 'lost', stop: { code: 'InfrastructureHealth', reason: 'restarted' } }

  test('ends a running task without an exit code', () => {
    const { task: end } = live(taskRecord(), [[200, lost]])
    expect(end).toMatchObject({
      state: 'STOPPED',
      stop: { code: 'InfrastructureHealth', reason: 'restarted' },
      containers: [{ status: 'STOPPED', reason: 'restarted' }],
    })
    expect(end.containers[0]).not.toHaveProperty('exitCode')
  })

  test.for([
    ['being stopped', 'UserInitiated', 'UserInitiated'],
    ['under notice', 'SpotInterruption', 'SpotInterruption'],
  ] as const)('a task %s keeps its cause', ([, code, kept]) => {
    const { task: end } = live(taskRecord(), [
      [200, stop(code)],
      [300, lost],
    ])
    expect(end).toMatchObject({ state: 'STOPPED', stop: { code: kept, reason: 'because' } })
  })
})

test('silent states are entered without a new version, and versions can go in steps', () => {
  const { switches } = ecsSettingsSchema.parse({ switches: { silentStates: ['PENDING'], versionStep: 5 } })
  const quiet = { ...rules, ...switches }
  const pending = advance(taskRecord(), due, 10, quiet).task
  expect(pending).toMatchObject({ state: 'PENDING', version: 1 })
  expect(advance(pending, due, 30, quiet).task).toMatchObject({ state: 'ACTIVATING', version: 6 })
})
