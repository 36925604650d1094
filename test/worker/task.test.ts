import { createHash } from 'node:crypto'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { S3Client } from '@aws-sdk/client-s3'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { localCredentials } from '../../local/credentials.ts'
import { manifestSchema } from '../../schemas/manifest.ts'
import { openS3Client } from '../../worker/clients.ts'
import { readEnvironment } from '../../worker/environment.ts'
import { WorkerError } from '../../worker/errors.ts'
import type { KindHandler, Work } from '../../worker/kinds/handler.ts'
import { openStorage } from '../../worker/storage.ts'
import { runTask, type TaskPorts } from '../../worker/task.ts'
import { arnOf, fence, openWorkshop, type Workshop } from './workshop.ts'

let workshop: Workshop
let s3: S3Client
beforeAll(async () => {
  workshop = await openWorkshop()
  s3 = await openS3Client(readEnvironment(workshop.environmentOf('any')), { credentials: localCredentials })
})
afterAll(async () => {
  s3.destroy()
  await workshop.close()
})

/** One task in this process, with a kind of the test's own; everything it talks to is real. */
const runWith = (jobId: string, handler: KindHandler, ports: Partial<TaskPorts> = {}): Promise<number> =>
  runTask({
    environment: readEnvironment(workshop.environmentOf(jobId)),
    table: workshop.aws.clients().documents,
    openStorage: async () =>
      openStorage({
        client: s3,
        outputsBucket: workshop.aws.configuration.OUTPUTS_BUCKET,
        patience: { forMs: 5000, nowMs: Date.now, random: () => 0 },
      }),
    handlers: { transcode: async () => handler },
    shutdown: new AbortController().signal,
    log: pino({ level: 'silent' }),
    nowMs: Date.now,
    random: () => 0,
    ...ports,
  })

/** A kind that puts one file into the output. */
const greet: KindHandler = async ({ scratch, storage, settings, signal }) => {
  const path = join(scratch, 'greeting')
  await writeFile(path, 'hello')
  const file = await storage.upload(path, `${settings.output}greeting.json`, 'metadata', signal)
  return { files: [file], result: { greetings: 1 } }
}

const untilStopped = ({ signal }: Pick<Work, 'signal'>): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))

const neverCalled: KindHandler = async () => {
  throw new Error('the work must not begin')
}

describe('a task that holds the job', () => {
  test('claims, works, writes the manifest last, reports, and leaves nothing behind', async () => {
    await workshop.putJob('whole')
    await expect(runWith('whole', greet)).resolves.toBe(0)

    expect(await workshop.record('whole')).toMatchObject({
      claim: { taskArn: arnOf('one') },
      progress: { beat: 1, stage: 'publish', percent: 100 },
      report: { fence, outcome: 'done', exitCode: 0, result: { greetings: 1 } },
    })
    const { content, contentType } = await workshop.output('results/whole/manifest.json')
    expect(contentType).toBe('application/json')
    expect(manifestSchema.parse(JSON.parse(content.toString()))).toMatchObject({
      jobId: 'whole',
      kind: 'transcode',
      fence,
      files: [
        {
          key: 'results/whole/greeting.json',
          bytes: 5,
          sha256: createHash('sha256').update('hello').digest('hex'),
          contentType: 'application/json',
          role: 'metadata',
        },
      ],
    })
    expect(await workshop.leftovers('whole')).toEqual([])
  })

  test('finds its work too much for one task: the report says how it is split, and there is no manifest', async () => {
    await workshop.putJob('split')
    const tooLong: KindHandler = async () => ({ files: [], result: { ignored: true }, split: { shards: 3 } })
    await expect(runWith('split', tooLong)).resolves.toBe(0)
    expect(await workshop.record('split')).toMatchObject({
      report: { fence, outcome: 'done', exitCode: 0, result: { split: { shards: 3 } } },
    })
    expect(await workshop.outputs('results/split/')).toEqual([])
  })

  test('may claim again: the reply to its first claim may have been lost', async () => {
    await workshop.putJob('again', {}, { claim: { taskArn: arnOf('one'), at: '2026-11-22T10:00:00Z' } })
    await expect(runWith('again', greet)).resolves.toBe(0)
  })

  test.each<[string, unknown, object]>([
    [
      'a failure of the input',
      new WorkerError('INPUT_UNREADABLE', 'it is a text'),
      {
        outcome: 'failed',
        exitCode: 65,
        code: 'INPUT_UNREADABLE',
        message: 'The input is not a video or sound that can be read: it is a text.',
      },
    ],
    [
      'what nobody foresaw',
      new TypeError('oops'),
      { outcome: 'failed', exitCode: 70, code: 'INTERNAL_ERROR', message: 'A fault of the worker: oops.' },
    ],
    [
      'an address with a signature, without the signature',
      new Error('GET https://b.s3/x?X-Amz-Signature=abcdef&X-Amz-Date=1'),
      { message: expect.not.stringMatching(/abcdef/) },
    ],
  ])('reports %s', async (name, thrown, report) => {
    const jobId = name.replaceAll(/\W/g, '-')
    await workshop.putJob(jobId)
    const exitCode = await runWith(jobId, async () => {
      throw thrown
    })
    const record = await workshop.record(jobId)
    expect(record?.report).toMatchObject({ fence, ...report })
    expect(record?.report).toMatchObject({ exitCode })
    expect(await workshop.outputs(`results/${jobId}/`)).toEqual([])
    expect(await workshop.leftovers(jobId)).toEqual([])
  })

  test.each([
    ['INPUT_FORMAT_REFUSED', true],
    ['URL_REFUSED', true],
    ['INPUT_UNREADABLE', undefined],
    ['SOURCE_FORBIDDEN', undefined],
  ] as const)('logs what may have been tried on purpose as such: %s', async (code, security) => {
    const jobId = `logged-${code}`
    await workshop.putJob(jobId)
    const lines: string[] = []
    const log = pino({}, { write: (line) => void lines.push(line) })
    const failing: KindHandler = async () => {
      throw new WorkerError(code)
    }
    await runWith(jobId, failing, { log })
    const failures = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'not done')
    expect(failures).toEqual([expect.objectContaining({ level: 50, code })])
    expect(failures[0].security).toBe(security)
  })

  test('works on the kind that the job was accepted with, whatever somebody made of it since', async () => {
    await workshop.putJob('renamed', { kind: 'transcode' }, { kind: 'torrent' })
    await expect(runWith('renamed', greet)).resolves.toBe(0)
  })

  test.each<[string, Record<string, unknown>, string, RegExp]>([
    ['settings that are missing', { settings: undefined }, 'RECORD_INVALID', /settings/],
    ['a kind that it does not know', { kind: 'torrent' }, 'KIND_UNKNOWN', /torrent/],
    [
      'a kind that is named like a part of every object',
      { kind: 'constructor' },
      'KIND_UNKNOWN',
      /constructor/,
    ],
  ])('reports %s with 78', async (name, extra, code, message) => {
    const jobId = name.replaceAll(' ', '-')
    await workshop.putJob(jobId, {}, extra)
    await expect(runWith(jobId, neverCalled)).resolves.toBe(78)
    expect((await workshop.record(jobId))?.report).toMatchObject({
      outcome: 'failed',
      exitCode: 78,
      code,
      message: expect.stringMatching(message),
    })
  })

  test('reports a scratch folder that cannot be made with 78', async () => {
    await workshop.putJob('no-scratch')
    const environment = readEnvironment({
      ...workshop.environmentOf('no-scratch'),
      WORK_DIR: '/dev/null/here',
    })
    await expect(runWith('no-scratch', neverCalled, { environment })).resolves.toBe(78)
    expect((await workshop.record('no-scratch'))?.report).toMatchObject({ code: 'ENVIRONMENT_INVALID' })
  })
})

describe('a task that may not have the job exits with 76 and touches nothing', () => {
  test.each<[string, Record<string, unknown>]>([
    ['the record has another fence', { fence: fence.replace(/1$/, '2') }],
    ['the record has no fence', { fence: undefined }],
    ['another task has claimed', { claim: { taskArn: arnOf('two'), at: '2026-11-22T10:00:00Z' } }],
  ])('%s', async (name, extra) => {
    const jobId = name.replaceAll(' ', '-')
    await workshop.putJob(jobId, {}, extra)
    const before = await workshop.record(jobId)
    await expect(runWith(jobId, neverCalled)).resolves.toBe(76)
    expect(await workshop.record(jobId)).toEqual(before)
    expect(await workshop.outputs(`results/${jobId}/`)).toEqual([])
  })

  test('there is no record', async () => {
    await expect(runWith('nobody', neverCalled)).resolves.toBe(76)
    expect(await workshop.record('nobody')).toBeUndefined()
  })
})

describe('a task that loses the job', () => {
  test('is stopped by its next heartbeat: 76, no manifest, no report', async () => {
    await workshop.putJob('lost')
    const running = runWith('lost', async (work) => {
      await workshop.replaceFence('lost')
      return untilStopped(work)
    })
    await expect(running).resolves.toBe(76)
    const record = await workshop.record('lost')
    expect(record).not.toHaveProperty('report')
    expect(record).not.toHaveProperty('progress')
    expect(await workshop.outputs('results/lost/')).toEqual([])
    expect(await workshop.leftovers('lost')).toEqual([])
  })

  test('at the very end writes no manifest', async () => {
    await workshop.putJob('late')
    const running = runWith('late', async (work) => {
      const finished = await greet(work)
      await workshop.replaceFence('late')
      return finished
    })
    await expect(running).resolves.toBe(76)
    expect(await workshop.outputs('results/late/')).toEqual(['results/late/greeting.json'])
    expect(await workshop.record('late')).not.toHaveProperty('report')
  })

  test('while it fails reports nothing either', async () => {
    await workshop.putJob('failing')
    const running = runWith('failing', async () => {
      await workshop.replaceFence('failing')
      throw new WorkerError('INPUT_EMPTY')
    })
    await expect(running).resolves.toBe(76)
    expect(await workshop.record('failing')).not.toHaveProperty('report')
  })
})

describe('SIGTERM', () => {
  const terminated = new WorkerError('INTERRUPTED', 'it got SIGTERM')

  test('stops the work, removes its files and reports it as interrupted, with 143', async () => {
    await workshop.putJob('stopped')
    const shutdown = new AbortController()
    let scratch = ''
    const running = runWith(
      'stopped',
      async (work) => {
        scratch = work.scratch
        await writeFile(join(scratch, 'half'), 'done')
        setTimeout(() => shutdown.abort(terminated), 20)
        return untilStopped(work)
      },
      { shutdown: shutdown.signal },
    )
    await expect(running).resolves.toBe(143)
    expect((await workshop.record('stopped'))?.report).toMatchObject({
      outcome: 'interrupted',
      exitCode: 143,
      code: 'INTERRUPTED',
    })
    expect(await workshop.outputs('results/stopped/')).toEqual([])
    await expect(readdir(scratch)).rejects.toThrow('ENOENT')
  })

  test('before the claim: 143, nothing touched', async () => {
    await workshop.putJob('early')
    const before = await workshop.record('early')
    await expect(runWith('early', neverCalled, { shutdown: AbortSignal.abort(terminated) })).resolves.toBe(
      143,
    )
    expect(await workshop.record('early')).toEqual(before)
  })
})

describe('a table that does not answer', () => {
  type Send = TaskPorts['table']['send']
  const refusedConnection = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:4566'), {
    code: 'ECONNREFUSED',
  })
  /** The real table behind a line that breaks for what `breaks` says. */
  const brokenFor = (breaks: (expression: string) => boolean): TaskPorts['table'] => {
    const real = workshop.aws.clients().documents
    const send: Send = async (command, options) => {
      if (breaks(command.input.UpdateExpression ?? '')) throw refusedConnection
      return real.send(command, options)
    }
    return { send }
  }
  /** A clock on which half a minute passes with every look. */
  const hastyClock = () => {
    let ms = Date.now()
    return () => {
      ms += 30_000
      return ms
    }
  }

  test('at a heartbeat costs nothing: the work goes on', async () => {
    await workshop.putJob('missed')
    let missed = 0
    const table = brokenFor((expression) => /progress/.test(expression) && missed++ === 0)
    const running = runWith(
      'missed',
      async (work) => {
        while (missed === 0) await sleep(20)
        return greet(work)
      },
      { table },
    )
    await expect(running).resolves.toBe(0)
    expect((await workshop.record('missed'))?.report).toMatchObject({ outcome: 'done' })
  })

  test.each(['claim', 'report'])('at the %s is asked again', async (attribute) => {
    const jobId = `slow-${attribute}`
    await workshop.putJob(jobId)
    let failures = 0
    const table = brokenFor((expression) => expression.includes(attribute) && failures++ < 2)
    await expect(runWith(jobId, greet, { table })).resolves.toBe(0)
    expect(failures).toBe(3)
    expect((await workshop.record(jobId))?.report).toMatchObject({ outcome: 'done' })
  })

  test.each([
    ['claim', 69],
    ['report', 69],
    ['progress', 69],
  ])('at the %s for too long ends the task with %d, to be tried again', async (attribute, exitCode) => {
    const jobId = `dead-${attribute}`
    await workshop.putJob(jobId)
    const table = brokenFor((expression) => expression.includes(attribute))
    await expect(runWith(jobId, greet, { table, nowMs: hastyClock() })).resolves.toBe(exitCode)
    const manifests = (await workshop.outputs(`results/${jobId}/`)).filter((key) =>
      key.endsWith('manifest.json'),
    )
    expect(manifests).toHaveLength(attribute === 'report' ? 1 : 0)
  })

  test('does not hide why the work failed', async () => {
    await workshop.putJob('dead-twice')
    const table = brokenFor((expression) => expression.includes('report'))
    const failing: KindHandler = async () => {
      throw new WorkerError('INPUT_EMPTY')
    }
    await expect(runWith('dead-twice', failing, { table, nowMs: hastyClock() })).resolves.toBe(65)
  })

  test('and one that does not exist is a mistake in the configuration', async () => {
    const environment = readEnvironment({ ...workshop.environmentOf('nowhere'), JOBS_TABLE: 'absent' })
    await expect(runWith('nowhere', neverCalled, { environment })).resolves.toBe(78)
  })
})
