import { setTimeout as sleep } from 'node:timers/promises'
import {
  DeleteTranscriptionJobCommand,
  ListTranscriptionJobsCommand,
  type ListTranscriptionJobsCommandInput,
  type StartTranscriptionJobCommandInput,
} from '@aws-sdk/client-transcribe'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { manualClock, refusal, until } from './ecs-setup.ts'
import { makeMedia, startTranscribe, type TranscribeTest, toneBetween } from './transcribe-setup.ts'

let talk: Buffer
beforeAll(async () => {
  talk = await makeMedia('talk.wav', ...toneBetween(1, 2))
})

let opened: TranscribeTest[] = []
afterEach(async () => {
  await Promise.all(opened.map((local) => local.close()))
  opened = []
})

const open = async (options: Parameters<typeof startTranscribe>[0] = {}) => {
  const local = await startTranscribe(options)
  opened.push(local)
  await local.upload('talk.wav', talk)
  return local
}

/** The clock stands still, so jobs stay IN_PROGRESS until a test moves it by a second. */
const openStill = async (settings: NonNullable<Parameters<typeof startTranscribe>[0]>['settings'] = {}) => {
  const clock = manualClock()
  return { clock, ...(await open({ clock, settings: { processingMs: 1_000, ...settings } })) }
}

const deferred: Partial<StartTranscriptionJobCommandInput> = {
  JobExecutionSettings: {
    AllowDeferredExecution: true,
    DataAccessRoleArn: 'arn:aws:iam::000000000000:role/transcribe',
  },
}
const named = (name: string, more: Partial<StartTranscriptionJobCommandInput> = {}) => ({
  TranscriptionJobName: name,
  ...more,
})
const statusOf = async (local: Pick<TranscribeTest, 'get'>, name: string) =>
  (await local.get(name)).TranscriptionJobStatus
const remove = ({ client }: Pick<TranscribeTest, 'client'>, name: string) =>
  client.send(new DeleteTranscriptionJobCommand({ TranscriptionJobName: name }))
const list = ({ client }: Pick<TranscribeTest, 'client'>, input: ListTranscriptionJobsCommandInput = {}) =>
  client.send(new ListTranscriptionJobsCommand(input))

describe('the name of a job', () => {
  test('a second start is a conflict whatever it asks for, until the job is deleted', async () => {
    const local = await open()
    await local.start()
    for (const other of [
      {},
      { Media: { MediaFileUri: 's3://media/other.wav' } },
      { LanguageCode: undefined },
      { OutputBucketName: 'no-such-bucket' },
    ]) {
      expect(await refusal(local.start(other))).toMatchObject({
        name: 'ConflictException',
        status: 400,
        message: expect.stringContaining('job-1'),
      })
    }
    await local.ended('job-1')
    expect(await refusal(local.start())).toMatchObject({ name: 'ConflictException' })
    await remove(local, 'job-1')
    expect((await local.start()).TranscriptionJob?.TranscriptionJobStatus).toBe('IN_PROGRESS')
  })

  test('of starts at one time one is answered, the others are conflicts', async () => {
    const local = await open()
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => local.start()))
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(results.flatMap((result) => (result.status === 'rejected' ? [result.reason.name] : []))).toEqual(
      Array(9).fill('ConflictException'),
    )
  })

  test('a start that was refused leaves the name free', async () => {
    const local = await open()
    expect(await refusal(local.start({ Media: { MediaFileUri: 's3://media/none.wav' } }))).toMatchObject({
      name: 'BadRequestException',
    })
    await local.start()
  })

  test('is free again 90 days after the job has finished', async () => {
    const local = await openStill()
    await local.start()
    const ended = local.ended('job-1')
    local.clock.advance(1_000)
    await ended
    local.clock.advance(90 * 86_400_000)
    expect(await refusal(local.start())).toMatchObject({ name: 'ConflictException' })
    local.clock.advance(1)
    expect(await refusal(local.get('job-1'))).toMatchObject({ name: 'BadRequestException' })
    await local.start()
  })

  test('tells capitals apart', async () => {
    const local = await open()
    await local.start(named('a'))
    await local.start(named('A'))
    await local.ended('A')
    expect((await list(local)).TranscriptionJobSummaries).toHaveLength(2)
  })
})

describe('the states of a job', () => {
  test('IN_PROGRESS by the answer of Start, and finished by time and work, not by being looked at', async () => {
    const local = await openStill()
    const { TranscriptionJob: started } = await local.start({
      Settings: { ShowSpeakerLabels: true, MaxSpeakerLabels: 2 },
    })
    expect(started).toEqual({
      TranscriptionJobName: 'job-1',
      TranscriptionJobStatus: 'IN_PROGRESS',
      LanguageCode: 'en-US',
      Media: { MediaFileUri: 's3://media/talk.wav' },
      CreationTime: new Date('2026-11-22T10:00:00Z'),
      StartTime: new Date('2026-11-22T10:00:00Z'),
      Settings: {
        ChannelIdentification: false,
        ShowAlternatives: false,
        ShowSpeakerLabels: true,
        MaxSpeakerLabels: 2,
      },
    })
    // The work is done, the time is not over.
    await until(async () => (await local.keys()).includes('job-1.json'))
    for (let look = 0; look < 5; look += 1) expect(await statusOf(local, 'job-1')).toBe('IN_PROGRESS')
    local.clock.advance(999)
    await sleep(50)
    expect(await statusOf(local, 'job-1')).toBe('IN_PROGRESS')
    local.clock.advance(1)
    await until(async () => local.events.length === 1)
    expect(await local.get('job-1')).toMatchObject({
      TranscriptionJobStatus: 'COMPLETED',
      CompletionTime: new Date('2026-11-22T10:00:01Z'),
      MediaFormat: 'wav',
      MediaSampleRateHertz: 16_000,
      Transcript: { TranscriptFileUri: 'https://s3.us-east-1.amazonaws.com/out/job-1.json' },
    })
  })

  test('nobody needs to ask: the event comes by itself, once, and is right', async () => {
    const local = await open()
    await local.start()
    await until(async () => local.events.length > 0)
    expect(local.events).toEqual([
      {
        version: '0',
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        'detail-type': 'Transcribe Job State Change',
        source: 'aws.transcribe',
        account: '000000000000',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
        region: 'us-east-1',
        resources: [],
        detail: { TranscriptionJobName: 'job-1', TranscriptionJobStatus: 'COMPLETED' },
      },
    ])
    expect(await statusOf(local, 'job-1')).toBe('COMPLETED')
  })

  test('a failed one has its reason, in the event too', async () => {
    const local = await open()
    await local.upload('talk.wav', 'this is no sound')
    await local.start()
    await until(async () => local.events.length > 0)
    const failed = { TranscriptionJobStatus: 'FAILED', FailureReason: 'Unsupported media format' }
    expect(local.events[0]?.detail).toEqual({ TranscriptionJobName: 'job-1', ...failed })
    const job = await local.get('job-1')
    expect(job).toMatchObject(failed)
    expect(job.Transcript).toBeUndefined()
    expect(await local.keys()).not.toContain('job-1.json')
  })
})

describe('more jobs than at one time', () => {
  test('without deferral LimitExceededException, and nothing is left of the refused one', async () => {
    const local = await openStill({ concurrentJobs: 2 })
    await local.start(named('a'))
    await local.start(named('b'))
    expect(await refusal(local.start(named('c', { OutputKey: 'c/' })))).toMatchObject({
      name: 'LimitExceededException',
      message: expect.stringMatching(/maximum number of concurrent/),
    })
    expect(await local.keys()).not.toContain('c/.write_access_check_file.temp')
    expect(await refusal(local.get('c'))).toMatchObject({ name: 'BadRequestException' })
    local.clock.advance(1_000)
    await local.ended('a')
    await local.start(named('c'))
  })

  test('starts at one time do not get past the limit', async () => {
    const local = await openStill({ concurrentJobs: 3 })
    const names = Array.from({ length: 8 }, (_, index) => `job-${index}`)
    const results = await Promise.allSettled(names.map((name) => local.start(named(name))))
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(3)
  })

  test('with deferral QUEUED, and let in one after the other in their order', async () => {
    const local = await openStill({ concurrentJobs: 1 })
    await local.start(named('first'))
    for (const name of ['second', 'third']) {
      const { TranscriptionJob: job } = await local.start(named(name, deferred))
      expect(job).toMatchObject({ TranscriptionJobStatus: 'QUEUED', ...deferred })
      expect(job?.StartTime).toBeUndefined()
    }
    expect(local.events).toEqual([])
    local.clock.advance(1_000)
    await until(async () => (await statusOf(local, 'second')) === 'IN_PROGRESS')
    expect(await statusOf(local, 'third')).toBe('QUEUED')
    expect(await local.get('second')).toMatchObject({ StartTime: new Date('2026-11-22T10:00:01Z') })
    local.clock.advance(1_000)
    await until(async () => (await statusOf(local, 'third')) === 'IN_PROGRESS')
    local.clock.advance(1_000)
    await local.ended('third')
    await until(async () => local.events.length === 3)
    expect(local.events.map(({ detail }) => detail.TranscriptionJobName)).toEqual([
      'first',
      'second',
      'third',
    ])
  })

  test('queued jobs leave a tenth of the quota to those that cannot wait', async () => {
    const local = await openStill({ concurrentJobs: 10 })
    for (let index = 0; index < 10; index += 1) await local.start(named(`now-${index}`))
    for (let index = 0; index < 10; index += 1) await local.start(named(`later-${index}`, deferred))
    local.clock.advance(1_000)
    await until(async () => (await statusOf(local, 'later-8')) === 'IN_PROGRESS')
    expect(await statusOf(local, 'later-9')).toBe('QUEUED')
    await local.start(named('urgent'))
    expect(await refusal(local.start(named('urgent-2')))).toMatchObject({ name: 'LimitExceededException' })
  })

  test('a full queue is a limit of its own', async () => {
    const local = await openStill({ concurrentJobs: 1, queuedJobs: 1 })
    await local.start(named('a'))
    await local.start(named('b', deferred))
    expect(await refusal(local.start(named('c', deferred)))).toMatchObject({
      name: 'LimitExceededConcurrentJobException',
    })
  })

  test('calls that come too fast are refused', async () => {
    const local = await openStill({ throttle: { enabled: true, get: 2 } })
    await local.start()
    await local.get('job-1')
    await local.get('job-1')
    expect(await refusal(local.get('job-1'))).toMatchObject({
      name: 'LimitExceededException',
      message: 'Rate exceeded',
    })
    local.clock.advance(500)
    await local.get('job-1')
  })
})

describe('a job that does not exist', () => {
  test.each(['BadRequestException', 'NotFoundException'] as const)('is a %s, as set', async (notFound) => {
    const local = await open({ settings: { switches: { notFound } } })
    expect(await refusal(local.get('none'))).toMatchObject({
      name: notFound,
      message: "The requested job couldn't be found. Check the job name and try your request again.",
    })
    expect(await refusal(remove(local, 'none'))).toMatchObject({ name: 'BadRequestException' })
  })
})

describe('deleting and listing', () => {
  test('a job is deleted when it has finished, not before; its transcript stays', async () => {
    const local = await openStill({ concurrentJobs: 1 })
    await local.start()
    await local.start(named('job-2', deferred))
    expect(await refusal(remove(local, 'job-1'))).toMatchObject({
      name: 'BadRequestException',
      message: expect.stringContaining('IN_PROGRESS'),
    })
    expect(await refusal(remove(local, 'job-2'))).toMatchObject({
      name: 'BadRequestException',
      message: expect.stringContaining('QUEUED'),
    })
    local.clock.advance(1_000)
    await local.ended('job-1')
    await remove(local, 'job-1')
    expect(await refusal(local.get('job-1'))).toMatchObject({ name: 'BadRequestException' })
    expect(await local.keys()).toContain('job-1.json')
  })

  test('newest first, in pages, by status and by a part of the name', async () => {
    const local = await openStill()
    for (const name of ['a-1', 'b-1', 'A-2', 'a-3']) await local.start(named(name))
    const names = async (input: ListTranscriptionJobsCommandInput) => {
      const { TranscriptionJobSummaries = [], NextToken } = await list(local, input)
      return { names: TranscriptionJobSummaries.map((job) => job.TranscriptionJobName), NextToken }
    }
    expect((await names({ JobNameContains: 'A-' })).names).toEqual(['a-3', 'A-2', 'a-1'])
    expect((await names({ Status: 'COMPLETED' })).names).toEqual([])
    const first = await names({ MaxResults: 3 })
    expect(first.names).toEqual(['a-3', 'A-2', 'b-1'])
    expect(await names({ MaxResults: 3, NextToken: first.NextToken })).toEqual({ names: ['a-1'] })
    expect(await refusal(list(local, { NextToken: 'rubbish' }))).toMatchObject({
      name: 'BadRequestException',
    })

    local.clock.advance(1_000)
    for (const name of ['a-1', 'b-1', 'A-2', 'a-3']) await local.ended(name)
    const { Status, TranscriptionJobSummaries } = await list(local, { Status: 'COMPLETED', MaxResults: 1 })
    expect(Status).toBe('COMPLETED')
    expect(TranscriptionJobSummaries).toEqual([
      {
        TranscriptionJobName: 'a-3',
        TranscriptionJobStatus: 'COMPLETED',
        LanguageCode: 'en-US',
        OutputLocationType: 'CUSTOMER_BUCKET',
        CreationTime: new Date('2026-11-22T10:00:00Z'),
        StartTime: new Date('2026-11-22T10:00:00Z'),
        CompletionTime: new Date('2026-11-22T10:00:01Z'),
      },
    ])
  })

  test('a page has five jobs unless asked for more', async () => {
    const local = await openStill()
    for (let index = 0; index < 6; index += 1) await local.start(named(`job-${index}`))
    expect((await list(local)).TranscriptionJobSummaries).toHaveLength(5)
  })
})

describe('what a start checks', () => {
  test.each([
    ['no language', { LanguageCode: undefined }, /Exactly one of/],
    ['an odd name', { TranscriptionJobName: 'job 1' }, /TranscriptionJobName/],
    ['what is not there', { ModelSettings: { LanguageModelName: 'mine' } }, /does not have ModelSettings/],
    ['no media', { Media: { MediaFileUri: 's3://media/none.wav' } }, /doesn't point to an S3 object/],
    [
      'no bucket of media',
      { Media: { MediaFileUri: 's3://none/talk.wav' } },
      /doesn't point to an S3 object/,
    ],
    ['media elsewhere', { Media: { MediaFileUri: 'https://example.org/a.wav' } }, /s3:\/\/bucket\/key/],
    ['no output bucket', { OutputBucketName: 'no-such-bucket' }, /no-such-bucket.*s3:PutObject/],
  ])('%s: BadRequestException, and no job', async (_, input, message) => {
    const local = await open()
    expect(await refusal(local.start(input))).toMatchObject({
      name: 'BadRequestException',
      status: 400,
      message: expect.stringMatching(message),
    })
    expect((await list(local)).TranscriptionJobSummaries).toEqual([])
  })

  test('trouble of S3 is not the fault of the request', async () => {
    const local = await open()
    local.s3.faults.slowDowns = 100
    expect(await refusal(local.start())).toMatchObject({ name: 'InternalFailureException', status: 500 })
    local.s3.faults.slowDowns = 0
    await local.start()
  })

  test('trouble of S3 with the output is not a bucket that cannot be written to', async () => {
    const local = await open()
    let requests = 0
    // The first request is the look at the media.
    const slowDowns = { get: () => (++requests > 1 ? 1 : 0), set: () => undefined }
    Object.defineProperty(local.s3.faults, 'slowDowns', slowDowns)
    expect(await refusal(local.start())).toMatchObject({ name: 'InternalFailureException', status: 500 })
    expect(requests).toBeGreaterThan(1)
  })
})

describe('faults', () => {
  const startWith = (fault: object) => open({ settings: { faults: [fault as never] } })

  test('throttle, in the words of either code', async () => {
    const local = await startWith({ kind: 'throttle', action: 'StartTranscriptionJob', count: 1 })
    expect(await refusal(local.start())).toMatchObject({ name: 'ThrottlingException' })
    await local.start()
  })

  test('limitExceeded refuses a start, and the next one works', async () => {
    const local = await startWith({ kind: 'limitExceeded' })
    expect(await refusal(local.start(deferred))).toMatchObject({ name: 'LimitExceededException' })
    await local.start()
  })

  test('accessDenied is a BadRequestException and writes nothing', async () => {
    const local = await startWith({ kind: 'accessDenied' })
    expect(await refusal(local.start())).toMatchObject({
      name: 'BadRequestException',
      message: expect.stringMatching(/can't be accessed/),
    })
    expect(await local.keys()).toEqual([])
  })

  test('drop: the job runs, the answer is lost, the next start is a conflict', async () => {
    const local = await startWith({ kind: 'drop', action: 'StartTranscriptionJob' })
    await expect(local.start()).rejects.toThrow(/socket hang up|ECONNRESET/)
    expect(await refusal(local.start())).toMatchObject({ name: 'ConflictException' })
    expect((await local.ended('job-1')).TranscriptionJobStatus).toBe('COMPLETED')
  })

  test('an error before the effect leaves nothing', async () => {
    const local = await startWith({ kind: 'error', action: 'StartTranscriptionJob', when: 'before' })
    expect(await refusal(local.start())).toMatchObject({ name: 'InternalFailureException', status: 500 })
    expect(await refusal(local.get('job-1'))).toMatchObject({ name: 'BadRequestException' })
  })

  test('failJob fails the next job with the reason given', async () => {
    const local = await startWith({ kind: 'failJob', reason: 'Out of luck.' })
    await local.start()
    await local.start(named('job-2'))
    expect(await local.ended('job-1')).toMatchObject({
      TranscriptionJobStatus: 'FAILED',
      FailureReason: 'Out of luck.',
    })
    expect((await local.ended('job-2')).TranscriptionJobStatus).toBe('COMPLETED')
  })

  test('slowJob takes its time', async () => {
    const local = await openStill({ faults: [{ kind: 'slowJob', delayMs: 5_000 }] })
    await local.start()
    local.clock.advance(5_999)
    await until(async () => (await local.keys()).includes('job-1.json'))
    await sleep(50)
    expect(await statusOf(local, 'job-1')).toBe('IN_PROGRESS')
    local.clock.advance(1)
    await local.ended('job-1')
  })

  test('events are lost and doubled; the job knows nothing of it', async () => {
    const local = await open({ settings: { faults: [{ kind: 'dropEvent' }, { kind: 'duplicateEvent' }] } })
    await local.start()
    await local.ended('job-1')
    await local.start(named('job-2'))
    await local.ended('job-2')
    await until(async () => local.events.length === 2)
    expect(local.events.map(({ detail }) => detail.TranscriptionJobName)).toEqual(['job-2', 'job-2'])
  })
})
