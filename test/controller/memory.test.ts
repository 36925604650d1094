import { describe, expect, test } from 'vitest'
import { createMemory, type Memory } from '../../controller/reconcile/memory.ts'
import type { Seen } from '../../controller/reconcile/seen.ts'
import { lookAt, type TaskLook } from '../../controller/run/answers.ts'
import { formatFence } from '../../schemas/ids.ts'
import type { Job } from '../../schemas/job.ts'
import {
  acceptedMs,
  arn,
  at,
  attempt,
  claim,
  fence,
  finished,
  hourMs,
  job,
  jobId,
  launching,
  minuteMs,
  refused,
  running,
  secondMs,
  settings,
  started,
  starting,
  stopping,
  taskArn,
  uid,
} from '../support/job.ts'
import { createVirtualClock, type VirtualClock } from '../support/virtual-clock.ts'

const graceMs = 6 * minuteMs
const secondFence = formatFence({ uid, attempt: 2, launch: 2 })
const second = (more: Partial<Job> = {}): Job =>
  started({
    fence: secondFence,
    launching: launching({ attempt: 2, launch: 2, request: undefined }),
    taskArn: taskArn('2'),
    ...more,
  })

const start = (): { memory: Memory; clock: VirtualClock } => {
  const clock = createVirtualClock()
  return { memory: createMemory(clock, graceMs), clock }
}
const look = (lastStatus: string, more: object = {}): TaskLook =>
  lookAt(
    {
      taskArn: arn,
      lastStatus,
      desiredStatus: lastStatus === 'STOPPED' ? 'STOPPED' : 'RUNNING',
      startedBy: `test/${jobId}/${fence}`,
      version: 3,
      stopCode: lastStatus === 'STOPPED' ? 'EssentialContainerExited' : undefined,
      stoppedAt: lastStatus === 'STOPPED' ? new Date(acceptedMs) : undefined,
      ...more,
    },
    acceptedMs,
  )
const seenOf = (memory: Memory, of: Job): Seen => memory.seenOf(of, { is: 'none' })
const straysOf = (memory: Memory): string[] => memory.straysOf(jobId).map((stray) => stray.arn)

describe('the task of the current launch', () => {
  test('is unknown until somebody has looked', () => {
    const { memory } = start()
    memory.track(started())
    expect(seenOf(memory, started()).task).toEqual({ is: 'unknown' })
    expect(memory.arnsOf(jobId)).toEqual([arn])
  })

  test('lives, as the last look showed it', () => {
    const { memory } = start()
    memory.track(started())
    memory.learn(jobId, arn, look('RUNNING', { startedAt: new Date(acceptedMs) }))
    expect(seenOf(memory, started()).task).toEqual({
      is: 'live',
      arn,
      lastStatus: 'RUNNING',
      desiredStatus: 'RUNNING',
      startedAtMs: acceptedMs,
    })
  })

  test('has stopped by its last status, not by what is desired', () => {
    const { memory } = start()
    memory.track(started())
    memory.learn(jobId, arn, look('STOPPING', { desiredStatus: 'STOPPED' }))
    expect(seenOf(memory, started()).task.is).toBe('live')
    memory.learn(jobId, arn, look('STOPPED'))
    expect(seenOf(memory, started()).task.is).toBe('stopped')
  })

  test('is missing since the first look of a row that did not show it', async () => {
    const { memory, clock } = start()
    memory.track(started())
    memory.learn(jobId, arn, undefined)
    await clock.pass(minuteMs)
    memory.learn(jobId, arn, undefined)
    const lookedAtMs = acceptedMs + minuteMs
    expect(seenOf(memory, started()).task).toEqual({ is: 'missing', arn, sinceMs: acceptedMs, lookedAtMs })
    memory.learn(jobId, arn, look('PENDING'))
    await clock.pass(minuteMs)
    memory.learn(jobId, arn, undefined)
    const sinceMs = acceptedMs + 2 * minuteMs
    expect(seenOf(memory, started()).task).toEqual({ is: 'missing', arn, sinceMs, lookedAtMs: sinceMs })
  })

  test('is the one that claimed, once somebody has; the one that RunTask named becomes a stray', () => {
    const { memory } = start()
    memory.track(started())
    memory.learn(jobId, arn, look('PENDING'))
    const claimed = started({ claim: claim(taskArn('9')) })
    memory.track(claimed)
    expect(seenOf(memory, claimed).task).toEqual({ is: 'unknown' })
    expect(memory.arnsOf(jobId)).toEqual([taskArn('9'), arn])
    expect(straysOf(memory)).toEqual([arn])
  })

  test('a look at another task teaches nothing about it', () => {
    const { memory } = start()
    memory.track(started())
    memory.learn(jobId, taskArn('9'), look('STOPPED'))
    memory.learn('somebody-else', arn, look('STOPPED'))
    expect(seenOf(memory, started()).task).toEqual({ is: 'unknown' })
  })

  test('of the next launch is looked at anew', () => {
    const { memory } = start()
    memory.track(started())
    memory.learn(jobId, arn, look('STOPPED'))
    memory.track(second())
    expect(seenOf(memory, second()).task).toEqual({ is: 'unknown' })
    expect(straysOf(memory)).toEqual([])
  })
})

describe('what this leader has measured', () => {
  test('begins when it first saw the launch, the ARN and RUNNING, and goes on when it looks again', async () => {
    const { memory, clock } = start()
    memory.track(starting())
    await clock.pass(secondMs)
    memory.track(started())
    await clock.pass(secondMs)
    memory.learn(jobId, arn, look('RUNNING'))
    await clock.pass(hourMs)
    memory.track(running())
    memory.learn(jobId, arn, look('RUNNING'))
    expect(seenOf(memory, running()).watch).toMatchObject({
      sinceMs: acceptedMs,
      arnSinceMs: acceptedMs + secondMs,
      runningSinceMs: acceptedMs + 2 * secondMs,
    })
  })

  test('begins anew with a new launch', async () => {
    const { memory, clock } = start()
    memory.track(running())
    memory.learn(jobId, arn, look('RUNNING'))
    memory.stopAsked(jobId, arn)
    memory.sent(jobId, secondMs)
    await clock.pass(hourMs)
    memory.track(second())
    expect(seenOf(memory, second()).watch).toMatchObject({
      sinceMs: acceptedMs + hourMs,
      runningSinceMs: undefined,
      stopAskedAtMs: undefined,
      sends: 0,
    })
  })

  test('the beat: silence counts from its last move, and from the claim', async () => {
    const { memory, clock } = start()
    const beats = (beat: number) => running({ progress: { beat, at: at(0) } })
    memory.track(started())
    await clock.pass(hourMs)
    memory.track(running())
    expect(seenOf(memory, running()).watch.beatMovedAtMs).toBe(acceptedMs + hourMs)
    await clock.pass(minuteMs)
    memory.track(running())
    expect(seenOf(memory, running()).watch.beatMovedAtMs).toBe(acceptedMs + hourMs)
    memory.track(beats(1))
    await clock.pass(minuteMs)
    memory.track(beats(1))
    expect(seenOf(memory, beats(1)).watch).toMatchObject({
      beat: 1,
      beatMovedAtMs: acceptedMs + hourMs + minuteMs,
    })
    memory.track(beats(2))
    expect(seenOf(memory, beats(2)).watch.beatMovedAtMs).toBe(acceptedMs + hourMs + 2 * minuteMs)
  })

  test('a new leader gives a silent worker the whole time again', async () => {
    const { memory, clock } = start()
    await clock.pass(hourMs)
    const silent = running({ progress: { beat: 7, at: at(0) } })
    memory.track(silent)
    expect(seenOf(memory, silent).watch.beatMovedAtMs).toBe(acceptedMs + hourMs)
  })

  test('when a stop was asked for, and when RunTask is to be sent again', async () => {
    const { memory, clock } = start()
    memory.track(starting())
    expect(seenOf(memory, starting()).watch.sendAgainAtMs).toBeLessThanOrEqual(clock.nowMs())
    memory.sent(jobId, 5 * secondMs)
    memory.sent(jobId, 7 * secondMs)
    memory.track(running())
    memory.stopAsked(jobId, arn)
    expect(seenOf(memory, running()).watch).toMatchObject({
      sends: 2,
      sendAgainAtMs: acceptedMs + 7 * secondMs,
      stopAskedAtMs: acceptedMs,
    })
  })

  test('a wall clock that jumps changes no stretch of time that was measured', async () => {
    const clock = createVirtualClock()
    let jumpMs = 0
    const memory = createMemory({ ...clock, nowMs: () => clock.nowMs() + jumpMs }, graceMs)
    memory.track(started())
    memory.learn(jobId, arn, undefined)
    await clock.pass(minuteMs)
    jumpMs = -3 * hourMs
    const { task, watch } = seenOf(memory, started())
    const nowMs = clock.nowMs() + jumpMs
    expect(task.is === 'missing' && nowMs - task.sinceMs).toBe(minuteMs)
    expect(nowMs - watch.sinceMs).toBe(minuteMs)
  })
})

describe('strays', () => {
  test('the task of a launch that was replaced is one, unless it was seen stopped', () => {
    const { memory } = start()
    memory.track(started())
    memory.learn(jobId, arn, look('RUNNING'))
    memory.track(second())
    expect(memory.straysOf(jobId)).toEqual([{ arn, desiredStatus: 'RUNNING', stopAskedAtMs: undefined }])
  })

  test('the task of a job that is forgotten is one: overwritten, reaped or deleted', () => {
    const { memory } = start()
    memory.track(started())
    memory.forget(jobId)
    expect(straysOf(memory)).toEqual([arn])
    expect(memory.arnsOf(jobId)).toEqual([arn])
  })

  test('the task of a job that settled is none', () => {
    const { memory } = start()
    memory.track(started())
    memory.learn(jobId, arn, look('STOPPED'))
    memory.track(finished())
    expect(memory.hasStray(jobId)).toBe(false)
    expect(memory.watched(jobId)).toBeUndefined()
  })

  test('the task of a job whose fence was taken away is one, until it has stopped; then it stays over', () => {
    const { memory } = start()
    const unfenced = running({ fence: undefined })
    memory.track(unfenced)
    expect(straysOf(memory)).toEqual([arn])
    memory.learn(jobId, arn, look('STOPPED'))
    memory.track(unfenced)
    expect(memory.hasStray(jobId)).toBe(false)
  })

  test('seen alive it stays, seen stopped it is over', () => {
    const { memory } = start()
    memory.addStray(jobId, arn, 'RUNNING')
    memory.learn(jobId, arn, look('STOPPING', { desiredStatus: 'STOPPED' }))
    expect(memory.straysOf(jobId)).toMatchObject([{ desiredStatus: 'STOPPED' }])
    memory.learn(jobId, arn, look('STOPPED'))
    expect(memory.hasStray(jobId)).toBe(false)
    expect([...memory.tasks()]).toEqual([])
  })

  test('missing it is over only after the whole grace: it may be too young to be seen', async () => {
    const { memory, clock } = start()
    memory.addStray(jobId, arn, 'RUNNING')
    memory.learn(jobId, arn, undefined)
    await clock.pass(graceMs - 1)
    memory.learn(jobId, arn, undefined)
    expect(memory.hasStray(jobId)).toBe(true)
    await clock.pass(1)
    memory.learn(jobId, arn, undefined)
    expect(memory.hasStray(jobId)).toBe(false)
  })

  test('seen once within the grace, the grace begins anew', async () => {
    const { memory, clock } = start()
    memory.addStray(jobId, arn, 'RUNNING')
    memory.learn(jobId, arn, undefined)
    await clock.pass(graceMs - 1)
    memory.learn(jobId, arn, look('PENDING'))
    memory.learn(jobId, arn, undefined)
    await clock.pass(graceMs - 1)
    memory.learn(jobId, arn, undefined)
    expect(memory.hasStray(jobId)).toBe(true)
  })

  test('that turns out to be the current task is none, and holds up nothing', () => {
    const { memory } = start()
    memory.addStray(jobId, arn, 'RUNNING')
    memory.track(started())
    expect(memory.hasStray(jobId)).toBe(false)
    expect(memory.arnsOf(jobId)).toEqual([arn])
  })

  test('reported again and again it keeps the time at which it was asked to stop', () => {
    const { memory } = start()
    memory.addStray(jobId, arn, 'RUNNING')
    memory.stopAsked(jobId, arn)
    memory.addStray(jobId, arn, 'RUNNING')
    expect(seenOf(memory, job()).strays).toEqual([
      { arn, desiredStatus: 'RUNNING', stopAskedAtMs: acceptedMs },
    ])
  })
})

describe('what counts as used', () => {
  test.each(['Pending', 'Submitted', 'Succeeded', 'Cancelled'] as const)(
    'a job in a launch keeps its slot though somebody wrote %s over its phase',
    (phase) => {
      const { memory } = start()
      memory.track(running())
      memory.track(running({ phase }))
      expect(memory.usage()).toMatchObject({ running: 1, vcpu: 1 })
    },
  )

  test('live jobs by the size of their task, and what was granted', () => {
    const { memory } = start()
    memory.track(running({ attempts: [attempt({ cpu: 4096 })], settings: settings({ queue: 'batch' }) }))
    memory.grant('granted', { queue: 'default', vcpu: 0.5 })
    expect(memory.usage()).toEqual({
      running: 2,
      vcpu: 4.5,
      queues: new Map([
        ['batch', { running: 1, vcpu: 4 }],
        ['default', { running: 1, vcpu: 0.5 }],
      ]),
    })
  })

  test('a grant becomes the live job, and is not counted twice', () => {
    const { memory } = start()
    memory.grant(jobId, { queue: 'default', vcpu: 1 })
    expect(seenOf(memory, job()).granted).toBe(true)
    memory.track(starting())
    expect(memory.usage()).toMatchObject({ running: 1, vcpu: 1 })
    expect(seenOf(memory, starting()).granted).toBe(false)
  })

  test('a grant that is given back is free again', () => {
    const { memory } = start()
    memory.grant(jobId, { queue: 'default', vcpu: 1 })
    expect(memory.has(jobId)).toBe(true)
    memory.dropGrant(jobId)
    expect(memory.usage()).toMatchObject({ running: 0, vcpu: 0 })
    expect(memory.has(jobId)).toBe(false)
  })

  test('Stopping counts until the task has stopped and the job is settled', () => {
    const { memory } = start()
    memory.track(stopping('Cancel'))
    memory.learn(jobId, arn, look('STOPPED'))
    expect(memory.usage().running).toBe(1)
    memory.track(finished('Cancelled'))
    expect(memory.usage().running).toBe(0)
  })

  test('a job that waits for capacity, for a time or in line does not count', () => {
    const { memory } = start()
    memory.track(starting())
    memory.track(refused(minuteMs))
    expect(memory.usage().running).toBe(0)
  })

  test('the launch token of admission is used once', () => {
    const { memory } = start()
    memory.grant(jobId, { queue: 'default', vcpu: 1 })
    memory.track(starting())
    expect([memory.useToken(jobId), memory.useToken(jobId)]).toEqual([true, false])
  })

  test('a launch that was not admitted here has no token', () => {
    const { memory } = start()
    memory.track(starting())
    expect(memory.useToken(jobId)).toBe(false)
    expect(memory.useToken('nobody')).toBe(false)
  })
})

describe('evidence of STOPPED events', () => {
  test('stands in where DescribeTasks has forgotten the task', () => {
    const { memory } = start()
    memory.track(started())
    memory.keepEvidence(look('STOPPED'), 'r1')
    expect(seenOf(memory, started()).task).toEqual({ is: 'unknown' })
    memory.learn(jobId, arn, undefined)
    expect(seenOf(memory, started()).task.is).toBe('stopped')
  })

  test('a look that shows the task counts before it', () => {
    const { memory } = start()
    memory.track(started())
    memory.keepEvidence(look('STOPPED'), 'r1')
    memory.learn(jobId, arn, look('STOPPING'))
    expect(seenOf(memory, started()).task.is).toBe('live')
  })

  test('the highest version counts, in whatever order they come', () => {
    const { memory } = start()
    memory.track(started())
    memory.keepEvidence(look('STOPPED', { version: 7, stoppedReason: 'newer' }), 'r1')
    memory.keepEvidence(look('STOPPED', { version: 6, stoppedReason: 'older' }), 'r2')
    memory.learn(jobId, arn, undefined)
    expect(seenOf(memory, started()).task).toMatchObject({ stop: { reason: 'newer' } })
    expect(memory.dropEvidence(arn)).toEqual(['r1', 'r2'])
  })

  test('names the task of a launch without an ARN, once a listing has found nothing', () => {
    const { memory } = start()
    memory.track(starting())
    memory.keepEvidence(look('STOPPED'), 'r1')
    memory.passDone(acceptedMs + hourMs, new Map())
    expect(seenOf(memory, starting()).listPass).toEqual({ begunAtMs: acceptedMs + hourMs, arn })
  })

  test('is gone once it was used', () => {
    const { memory } = start()
    memory.keepEvidence(look('STOPPED'), 'r1')
    expect(memory.dropEvidence(arn)).toEqual(['r1'])
    expect(memory.dropEvidence(arn)).toEqual([])
    memory.track(started())
    memory.learn(jobId, arn, undefined)
    expect(seenOf(memory, started()).task.is).toBe('missing')
  })

  test('is bounded, also for one task whose event comes again and again', () => {
    const { memory } = start()
    for (let index = 0; index < 100; index += 1) memory.keepEvidence(look('STOPPED'), `r${index}`)
    expect(memory.dropEvidence(arn).length).toBeLessThanOrEqual(10)
    for (let index = 0; index < 10_000; index += 1)
      memory.keepEvidence(look('STOPPED', { taskArn: `arn-${index}` }), 'r')
    expect(memory.keepEvidence(look('STOPPED', { taskArn: 'one more' }), 'r')).toBe(false)
  })
})

describe('a full listing', () => {
  test('serves every launch that waits, by its fence', () => {
    const { memory } = start()
    memory.track(starting())
    expect(seenOf(memory, starting()).listPass).toBeUndefined()
    memory.passDone(acceptedMs + hourMs, new Map([[`${jobId}/${fence}`, arn]]))
    expect(seenOf(memory, starting()).listPass).toEqual({ begunAtMs: acceptedMs + hourMs, arn })
    expect(seenOf(memory, second({ taskArn: undefined })).listPass).toEqual({
      begunAtMs: acceptedMs + hourMs,
      arn: undefined,
    })
  })
})

describe('what is to be looked at', () => {
  test('every task that is known to live, current and stray', () => {
    const { memory } = start()
    memory.track(started())
    memory.addStray('other', taskArn('7'), 'RUNNING')
    expect([...memory.tasks()]).toEqual([
      { jobId, arn },
      { jobId: 'other', arn: taskArn('7') },
    ])
    memory.learn(jobId, arn, look('STOPPED'))
    expect([...memory.tasks()]).toEqual([{ jobId: 'other', arn: taskArn('7') }])
  })

  test('records of live jobs that were not read for a while', async () => {
    const { memory, clock } = start()
    memory.track(started())
    await clock.pass(minuteMs - 1)
    expect([...memory.unread(minuteMs)]).toEqual([])
    await clock.pass(1)
    expect([...memory.unread(minuteMs)]).toEqual([jobId])
    memory.track(started())
    expect([...memory.unread(minuteMs)]).toEqual([])
  })
})

test('what needs a person: one sentence for each job and topic, at most a hundred', () => {
  const { memory } = start()
  memory.setAttention(jobId, 'edit', 'first')
  memory.setAttention(jobId, 'edit', 'second')
  memory.setAttention(jobId, 'error', 'third')
  expect(memory.attention()).toEqual([
    { jobId, why: 'second' },
    { jobId, why: 'third' },
  ])
  memory.setAttention(jobId, 'edit', undefined)
  expect(memory.attention()).toEqual([{ jobId, why: 'third' }])
  for (let index = 0; index < 500; index += 1) memory.setAttention(`job-${index}`, 'edit', 'why')
  expect(memory.attention()).toHaveLength(100)
})
