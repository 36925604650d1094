import { describe, expect, test } from 'vitest'
import { lookAt, type RawTask, readRunTask, readRunTaskError } from '../../controller/run/answers.ts'
import { arn } from '../support/job.ts'

describe('what RunTask answered', () => {
  test('a task: its ARN', () => {
    expect(readRunTask([{ taskArn: arn }], [])).toEqual({ is: 'task', arn })
  })

  test.each([
    [
      'Capacity is unavailable at this time. Please try again later or in a different availability zone',
      'capacity',
    ],
    ["You've reached the limit on the number of vCPUs you can run concurrently", 'capacity'],
    ['You’ve reached the limit on the number of vCPUs you can run concurrently', 'capacity'],
    ['RESOURCE:FARGATE', 'capacity'],
    ['Internal error.', 'capacity'],
    ['something that nobody has seen yet', 'capacity'],
    ['The requested CPU configuration is above your limit', 'permanent'],
    ['The requested MEMORY configuration is above your limit', 'permanent'],
  ])('failures: %s', (reason, kind) => {
    expect(readRunTask([], [{ reason }])).toEqual({ is: 'refused', kind, reason })
  })

  test('failures without an ARN, with a detail, and several of them', () => {
    expect(
      readRunTask([], [{ reason: 'RESOURCE:FARGATE', detail: 'no Spot' }, { reason: 'Internal error.' }]),
    ).toEqual({
      is: 'refused',
      kind: 'capacity',
      reason: 'RESOURCE:FARGATE: no Spot; Internal error.',
    })
  })

  test('neither a task nor a failure: as if there was no capacity', () => {
    expect(readRunTask([], [])).toMatchObject({
      is: 'refused',
      kind: 'capacity',
      reason: expect.stringMatching(/./),
    })
  })
})

const failed = (name: string, message = 'message', more: object = {}): Error =>
  Object.assign(new Error(message), { name, ...more })

describe('what RunTask threw', () => {
  test('the token has a task already: adopted', () => {
    expect(readRunTaskError(failed('ConflictException', 'tied', { resourceIds: [arn] }))).toEqual({
      is: 'task',
      arn,
    })
  })

  test('a conflict that names no task says nothing', () => {
    expect(readRunTaskError(failed('ConflictException')).is).toBe('unknown')
    expect(readRunTaskError(failed('ConflictException', 'x', { resourceIds: 'none' })).is).toBe('unknown')
  })

  test.each([
    ['ThrottlingException', 'Rate exceeded'],
    ['ServerException', 'Service Unavailable'],
    ['TimeoutError', 'socket hang up'],
    ['ECONNRESET', 'read ECONNRESET'],
    [
      'InvalidParameterException',
      'Error retrieving subnet information for [subnet-1]: Rate exceeded (ErrorCode: Throttling)',
    ],
    [
      'InvalidParameterException',
      'Error retrieving security group information: Request limit exceeded. ErrorCode: Throttling',
    ],
    ['ExpiredTokenException', 'The security token included in the request is expired'],
    ['SomethingNew', 'never seen'],
  ])('%s (%s): nobody knows, the same token again', (name, message) => {
    expect(readRunTaskError(failed(name, message))).toEqual({ is: 'unknown', reason: `${name}: ${message}` })
  })

  test.each([
    ['InvalidParameterException', 'No subnets'],
    ['ClientException', 'No Fargate configuration exists for given values'],
    ['AccessDeniedException', 'not authorized to perform: ecs:RunTask'],
    ['BlockedException', 'Your AWS account was blocked'],
    ['ClusterNotFoundException', 'Cluster not found'],
    ['PlatformUnknownException', 'x'],
    ['PlatformTaskDefinitionIncompatibilityException', 'x'],
    ['UnsupportedFeatureException', 'x'],
  ])('%s (%s): the same request would meet it again', (name, message) => {
    expect(readRunTaskError(failed(name, message))).toEqual({
      is: 'refused',
      kind: 'permanent',
      reason: `${name}: ${message}`,
    })
  })

  test.each(['text', undefined, null, 7, { name: 'ClientException' }])(
    '%j is no error at all: nobody knows',
    (thrown) => {
      expect(readRunTaskError(thrown).is).toBe('unknown')
    },
  )
})

describe('a look at a task', () => {
  const nowMs = 5_000_000
  const task: RawTask = {
    taskArn: arn,
    lastStatus: 'STOPPED',
    desiredStatus: 'STOPPED',
    startedBy: 'prod/a/b/1/1',
    version: 6,
    createdAt: new Date(1000),
    pullStartedAt: new Date(1500),
    startedAt: new Date(2000),
    stoppedAt: new Date(3000),
    stopCode: 'EssentialContainerExited',
    stoppedReason: 'Essential container in task exited',
    containers: [
      { name: 'worker', exitCode: 137, reason: 'OutOfMemoryError: container killed due to memory usage' },
    ],
  }

  test('of the API', () => {
    expect(lookAt(task, nowMs)).toEqual({
      arn,
      lastStatus: 'STOPPED',
      desiredStatus: 'STOPPED',
      startedBy: 'prod/a/b/1/1',
      version: 6,
      createdAtMs: 1000,
      startedAtMs: 2000,
      stop: {
        stopCode: 'EssentialContainerExited',
        reason: 'Essential container in task exited: OutOfMemoryError: container killed due to memory usage',
        exitCode: 137,
        startedAtMs: 2000,
        stoppedAtMs: 3000,
        pullStartedAtMs: 1500,
        createdAtMs: 1000,
      },
    })
  })

  test('of an event, whose times are texts, shows the same', () => {
    const iso = (time: unknown) => (time as Date).toISOString()
    const event = {
      ...task,
      createdAt: iso(task.createdAt),
      pullStartedAt: iso(task.pullStartedAt),
      startedAt: iso(task.startedAt),
      stoppedAt: iso(task.stoppedAt),
    }
    expect(lookAt(event, nowMs)).toEqual(lookAt(task, nowMs))
  })

  test.each([
    'PROVISIONING',
    'PENDING',
    'ACTIVATING',
    'RUNNING',
    'DEACTIVATING',
    'STOPPING',
    'DEPROVISIONING',
    'NEW',
  ])('%s lives, whatever is desired', (lastStatus) => {
    expect(lookAt({ ...task, lastStatus }, nowMs).stop).toBeUndefined()
  })

  test('DELETED has stopped', () => {
    expect(lookAt({ ...task, lastStatus: 'DELETED' }, nowMs).stop).toBeDefined()
  })

  test('the warning of Spot is no stop', () => {
    const warned = { ...task, lastStatus: 'RUNNING', stopCode: 'TerminationNotice' }
    expect(lookAt(warned, nowMs)).toMatchObject({ desiredStatus: 'STOPPED', stop: undefined })
  })

  test('one that never started has no exit code', () => {
    const { startedAt: _startedAt, pullStartedAt: _pullStartedAt, ...unstarted } = task
    expect(lookAt({ ...unstarted, stopCode: 'TaskFailedToStart', containers: [] }, nowMs).stop).toEqual({
      stopCode: 'TaskFailedToStart',
      reason: 'Essential container in task exited',
      exitCode: undefined,
      startedAtMs: undefined,
      stoppedAtMs: 3000,
      pullStartedAtMs: undefined,
      createdAtMs: 1000,
    })
  })

  test('a stop time that is missing or no time is now', () => {
    const { stoppedAt: _stoppedAt, ...timeless } = task
    expect(lookAt(timeless, nowMs).stop?.stoppedAtMs).toBe(nowMs)
    expect(lookAt({ ...task, stoppedAt: 'soon' }, nowMs).stop?.stoppedAtMs).toBe(nowMs)
  })

  test('with side-cars, the exit code is that of the container which our overrides name', () => {
    const sidecars: RawTask = {
      ...task,
      containers: [
        { name: 'logs', exitCode: 0 },
        { name: 'main', exitCode: 3, reason: 'its own' },
      ],
      // ECS answers with an override for every container, empty for those that nobody named.
      overrides: {
        containerOverrides: [
          { name: 'logs', environment: [] },
          { name: 'main', environment: [{ name: 'FENCE' }] },
        ],
      },
    }
    expect(lookAt(sidecars, nowMs).stop).toMatchObject({
      exitCode: 3,
      reason: expect.stringMatching(/its own$/),
    })
  })

  test('without overrides, that of the first', () => {
    const containers = [
      { name: 'a', exitCode: 4 },
      { name: 'b', exitCode: 5 },
    ]
    expect(lookAt({ ...task, containers }, nowMs).stop?.exitCode).toBe(4)
  })

  test('of next to nothing is a look, too', () => {
    expect(lookAt({}, nowMs)).toMatchObject({
      arn: '',
      lastStatus: 'UNKNOWN',
      desiredStatus: 'RUNNING',
      version: 0,
    })
  })
})
