import { PutObjectCommand } from '@aws-sdk/client-s3'
import {
  ListVocabulariesCommand,
  StartTranscriptionJobCommand,
  type StartTranscriptionJobCommandInput,
  TranscribeClient,
} from '@aws-sdk/client-transcribe'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { localCredentials } from '../../local/credentials.ts'
import { startTestAws, type TestAws } from '../support/local-aws.ts'
import { refusal } from './ecs-setup.ts'
import { receiveUntil } from './gateway-setup.ts'
import { endedJob, makeMedia, startInput, toneBetween } from './transcribe-setup.ts'

/** Transcribe where it belongs: behind the one port, with all the others. */
let aws: TestAws
let client: TranscribeClient
beforeAll(async () => {
  aws = await startTestAws({ transcribe: { processingMs: 0 } })
  client = new TranscribeClient({
    endpoint: aws.endpoint,
    region: 'us-east-1',
    credentials: localCredentials,
    maxAttempts: 1,
  })
  const Body = await makeMedia('talk.wav', ...toneBetween(1, 2))
  await aws.clients().s3.send(new PutObjectCommand({ Bucket: 'outputs', Key: 'talk.wav', Body }))
})
afterAll(async () => {
  client.destroy()
  await aws.close()
})

const start = (TranscriptionJobName: string, input: Partial<StartTranscriptionJobCommandInput> = {}) =>
  client.send(
    new StartTranscriptionJobCommand(
      startInput({
        TranscriptionJobName,
        Media: { MediaFileUri: 's3://outputs/talk.wav' },
        OutputBucketName: 'outputs',
        ...input,
      }),
    ),
  )

describe('what one service tells another', () => {
  test('the end of a job arrives in the queue of task events', async () => {
    await start('told')
    const messages = await receiveUntil(
      aws,
      'task-events',
      ({ Body }) => Body?.includes('Transcribe Job State Change') === true,
    )
    expect(JSON.parse(messages.at(-1)?.Body ?? '')).toMatchObject({
      source: 'aws.transcribe',
      detail: { TranscriptionJobName: 'told', TranscriptionJobStatus: 'COMPLETED' },
    })
  })

  test('access check and transcript are writes like any other: they fire the events of their bucket', async () => {
    await start('noisy', { OutputBucketName: 'uploads', OutputKey: 'text/' })
    const messages = await receiveUntil(aws, 'jobs', ({ Body }) => Body?.includes('text/noisy.json') === true)
    const keys = messages.flatMap(({ Body }) => {
      const { Records = [] } = JSON.parse(Body ?? '') as { Records?: { s3: { object: { key: string } } }[] }
      return Records.map(({ s3 }) => s3.object.key)
    })
    expect(new Set(keys)).toEqual(new Set(['text/.write_access_check_file.temp', 'text/noisy.json']))
  })
})

describe('the control endpoint', () => {
  test('makes things go wrong on request, and tells the truth', async () => {
    const faults = [{ kind: 'failJob', reason: 'Out of luck.' }]
    expect(await aws.control('POST', '/transcribe/faults', faults)).toEqual({
      faults: [{ kind: 'failJob', count: 1, reason: 'Out of luck.' }],
    })
    await start('unlucky')
    expect((await endedJob(client, 'unlucky')).FailureReason).toBe('Out of luck.')
    expect(await aws.control('GET', '/transcribe/faults')).toEqual({ faults: [] })
    expect(await aws.control('GET', '/transcribe/jobs')).toMatchObject({
      jobs: expect.arrayContaining([expect.objectContaining({ name: 'unlucky', status: 'FAILED' })]),
    })
    await aws.control('POST', '/transcribe/faults', { kind: 'dropEvent', count: 5 })
    expect(await aws.control('DELETE', '/transcribe/faults')).toEqual({ faults: [] })
  })

  test('refuses a fault that there is not, and a place', async () => {
    await expect(aws.control('POST', '/transcribe/faults', { kind: 'bad' })).rejects.toThrow(/400 .*kind/)
    await expect(aws.control('GET', '/transcribe/nothing')).rejects.toThrow(/404 .*no such place/)
  })
})

test('an operation that is not there is named', async () => {
  expect(await refusal(client.send(new ListVocabulariesCommand({})))).toMatchObject({
    name: 'UnknownOperationException',
    message: expect.stringContaining('Transcribe.ListVocabularies'),
  })
})

describe('LOCAL_FAULTS', () => {
  const startWith = (faults: object[]) =>
    startTestAws({ environment: { LOCAL_FAULTS: JSON.stringify(faults) } })

  test('a fault goes to the service that it names, one that names none to ECS', async () => {
    const faulty = await startWith([
      { kind: 'dropEvent', count: 2 },
      { service: 'transcribe', kind: 'limitExceeded' },
      { service: 'ecs', kind: 'capacity' },
    ])
    try {
      expect(await faulty.control('GET', '/transcribe/faults')).toEqual({
        faults: [{ kind: 'limitExceeded', count: 1 }],
      })
      expect(await faulty.control('GET', '/ecs/faults')).toMatchObject({
        faults: [{ kind: 'dropEvent' }, { kind: 'capacity' }],
      })
    } finally {
      await faulty.close()
    }
  })

  test.each([
    [[{ kind: 'capacity' }, { service: 's3', kind: 'throttle' }], /LOCAL_FAULTS\[1\]\.service is "s3"/],
    [[{ kind: 'capacity' }, { service: 'transcribe', kind: 'capacity' }], /LOCAL_FAULTS\[1\]\.kind/],
    [[{ service: 'transcribe', kind: 'dropEvent' }, { kind: 'failJob' }], /LOCAL_FAULTS\[1\]\.kind/],
  ])('%j keeps it from starting, with the place of the mistake', async (faults, message) => {
    await expect(startWith(faults)).rejects.toThrow(message)
  })
})
