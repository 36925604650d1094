import { describe, expect, test } from 'vitest'
import { createRunner } from '../../controller/run/runner.ts'
import {
  createTranscribeRunner,
  lookOf,
  readStartError,
  type Transcribe,
} from '../../controller/run/transcribe.ts'
import { parseTranscriptionJobName, transcriptionArn, transcriptionJobName } from '../../schemas/ids.ts'

const nowMs = Date.parse('2026-11-22T10:00:00Z')
const clock = { nowMs: () => nowMs }
const pacer = { take: () => Promise.resolve() }
const fence = { uid: 'a1b2c3d4e5f6a7b8c9d0', attempt: 2, launch: 3 }
const name = transcriptionJobName('prod', 'talk-1', fence, { Media: 'x' })
const arn = transcriptionArn(name)

const thrown = (of: string, message = 'no'): Error => Object.assign(new Error(message), { name: of })

/** A Transcribe that answers from a list, and remembers what it was asked. */
function scripted(answers: readonly (object | Error)[]) {
  const asked: { action: string; input: Record<string, unknown> }[] = []
  const left = [...answers]
  const transcribe = {
    send(command: { constructor: { name: string }; input: Record<string, unknown> }) {
      asked.push({ action: command.constructor.name, input: command.input })
      const answer = left.shift() ?? {}
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer)
    },
  } as unknown as Transcribe
  return { runner: createTranscribeRunner(transcribe, pacer, clock), asked }
}

describe('the name of a transcription', () => {
  test('is the same for the same launch and inputs, and another for any other', () => {
    const names = [
      name,
      transcriptionJobName('dev', 'talk-1', fence, { Media: 'x' }),
      transcriptionJobName('prod', 'talk-2', fence, { Media: 'x' }),
      transcriptionJobName('prod', 'talk-1', { ...fence, launch: 4 }, { Media: 'x' }),
      transcriptionJobName('prod', 'talk-1', { ...fence, attempt: 3 }, { Media: 'x' }),
      transcriptionJobName('prod', 'talk-1', fence, { Media: 'y' }),
    ]
    expect(new Set(names).size).toBe(names.length)
    expect(transcriptionJobName('prod', 'talk-1', fence, { Media: 'x' })).toBe(name)
  })

  test('has the characters and the length that Transcribe takes, also of the longest job', () => {
    const longest = transcriptionJobName(
      'i'.repeat(16),
      'j'.repeat(64),
      { uid: fence.uid, attempt: 999_999_999, launch: 999_999_999 },
      {},
    )
    expect(longest).toMatch(/^[0-9a-zA-Z._-]{1,200}$/)
    expect(parseTranscriptionJobName(longest)).toEqual({
      installation: 'i'.repeat(16),
      jobId: 'j'.repeat(64),
    })
  })

  test.each(['', 'prod.talk-1', `${name}.x`, name.replace('prod', 'PROD'), 'somebody-elses-job'])(
    '%j is nobody of ours',
    (other) => {
      expect(parseTranscriptionJobName(other)).toBeUndefined()
    },
  )
})

describe('starting', () => {
  test('sends the frozen request and answers with the name', async () => {
    const { runner, asked } = scripted([{ TranscriptionJob: { TranscriptionJobStatus: 'QUEUED' } }])
    expect(await runner.start({ TranscriptionJobName: name, MediaFormat: 'flac' })).toEqual({
      is: 'task',
      arn,
    })
    expect(asked).toEqual([
      { action: 'StartTranscriptionJobCommand', input: { TranscriptionJobName: name, MediaFormat: 'flac' } },
    ])
  })

  test.each([
    ['ConflictException', { is: 'task', arn }],
    ['LimitExceededException', { is: 'unknown' }],
    ['ThrottlingException', { is: 'unknown' }],
    ['InternalFailureException', { is: 'unknown' }],
    ['TimeoutError', { is: 'unknown' }],
    ['BadRequestException', { is: 'refused', kind: 'permanent' }],
    ['AccessDeniedException', { is: 'refused', kind: 'permanent' }],
  ])('%s: %j', (error, answer) => {
    expect(readStartError(thrown(error), name)).toMatchObject(answer)
  })
})

describe('looking', () => {
  test.each([
    ['QUEUED', 'RUNNING'],
    ['IN_PROGRESS', 'RUNNING'],
    ['COMPLETED', 'STOPPED'],
    ['FAILED', 'STOPPED'],
  ] as const)('%s is %s', (status, lastStatus) => {
    const look = lookOf(arn, { TranscriptionJobStatus: status }, nowMs)
    expect([look.lastStatus, look.stop !== undefined]).toEqual([lastStatus, lastStatus === 'STOPPED'])
  })

  test('what waits in the queue of Transcribe has not started, so no time-out of ours counts', () => {
    expect(
      lookOf(arn, { TranscriptionJobStatus: 'QUEUED', CreationTime: new Date(nowMs) }, nowMs),
    ).toMatchObject({
      startedAtMs: undefined,
      createdAtMs: nowMs,
    })
  })

  test.each([
    ['The media format provided does not match the detected media format.', 65],
    ['Unsupported media format', 65],
    ['The sample rate provided does not match the detected sample rate', 65],
    ['Invalid file size: file size too large', 65],
    ['Invalid number of channels: number of channels too large', 65],
    ['The data access role cannot be used at the moment', 75],
    [undefined, 75],
  ])('a job that failed with %j exits %d', (FailureReason, exitCode) => {
    const { stop } = lookOf(
      arn,
      { TranscriptionJobStatus: 'FAILED', ...(FailureReason === undefined ? {} : { FailureReason }) },
      nowMs,
    )
    expect(stop).toMatchObject({ exitCode, stopCode: 'EssentialContainerExited', stoppedAtMs: nowMs })
    expect(stop?.said).toContain(FailureReason ?? 'no reason')
  })

  test('a finished one exits 0 at the time that Transcribe names', () => {
    const CompletionTime = new Date(nowMs - 5000)
    const { stop } = lookOf(arn, { TranscriptionJobStatus: 'COMPLETED', CompletionTime }, nowMs)
    expect(stop).toMatchObject({ exitCode: 0, stoppedAtMs: nowMs - 5000 })
  })

  test.each([
    thrown('NotFoundException'),
    thrown(
      'BadRequestException',
      "The requested job couldn't be found. Check the job name and try your request again.",
    ),
  ])('%s: absent, and once we have let go of it, stopped by us', async (unknown) => {
    const { runner } = scripted([unknown, {}, unknown])
    expect(await runner.describe([arn])).toEqual(new Map())
    await runner.stop(arn)
    expect((await runner.describe([arn])).get(arn)?.stop).toMatchObject({ stopCode: 'UserInitiated' })
  })

  test('any other error is the caller’s: nothing is taken for missing', async () => {
    const { runner } = scripted([thrown('BadRequestException', 'The name is too long')])
    await expect(runner.describe([arn])).rejects.toThrow('too long')
  })
})

describe('stopping', () => {
  test('deletes the job; one that Transcribe does not know has ended', async () => {
    const { runner, asked } = scripted([thrown('NotFoundException')])
    await runner.stop(arn)
    expect(asked).toEqual([
      { action: 'DeleteTranscriptionJobCommand', input: { TranscriptionJobName: name } },
    ])
  })

  test('lets go of one that is under way, which Transcribe does not delete', async () => {
    const { runner, asked } = scripted([
      thrown('BadRequestException', 'The job is in a non-terminal state and cannot be deleted'),
    ])
    await runner.stop(arn)
    expect((await runner.describe([arn])).get(arn)?.stop).toMatchObject({ stopCode: 'UserInitiated' })
    expect(asked).toHaveLength(1)
  })

  test('an error of Transcribe is not taken for done', async () => {
    const { runner } = scripted([thrown('InternalFailureException'), thrown('NotFoundException')])
    await expect(runner.stop(arn)).rejects.toThrow()
    expect(await runner.describe([arn])).toEqual(new Map())
  })
})

test('requests and ARNs find their runner, and one look serves both', async () => {
  const { runner: transcribe, asked } = scripted([
    {},
    { TranscriptionJob: { TranscriptionJobStatus: 'IN_PROGRESS' } },
    {},
  ])
  const calls: string[] = []
  const ecs = {
    runTask: () => Promise.resolve({ is: 'task' as const, arn: 'task' }),
    describe: (arns: readonly string[]) => {
      calls.push(`describe ${arns.join()}`)
      return Promise.resolve(new Map())
    },
    stop: (task: string) => {
      calls.push(`stop ${task}`)
      return Promise.resolve()
    },
  }
  const runner = createRunner(ecs as unknown as Parameters<typeof createRunner>[0], transcribe)
  expect(await runner.runTask({ cluster: 'jobs' })).toMatchObject({ arn: 'task' })
  expect(await runner.runTask({ TranscriptionJobName: name })).toMatchObject({ arn })
  expect([...(await runner.describe(['arn:task', arn])).keys()]).toEqual([arn])
  await runner.stop('arn:task', 'why')
  await runner.stop(arn, 'why')
  expect(calls).toEqual(['describe arn:task', 'stop arn:task'])
  expect(asked.map(({ action }) => action.replace(/Command$/, ''))).toEqual([
    'StartTranscriptionJob',
    'GetTranscriptionJob',
    'DeleteTranscriptionJob',
  ])
})
