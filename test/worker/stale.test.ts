import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PutObjectCommand, type S3Client } from '@aws-sdk/client-s3'
import { pino } from 'pino'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { localCredentials } from '../../local/credentials.ts'
import { type Manifest, type ManifestFile, manifestSchema } from '../../schemas/manifest.ts'
import { openS3Client } from '../../worker/clients.ts'
import { readEnvironment } from '../../worker/environment.ts'
import { WorkerError } from '../../worker/errors.ts'
import type { KindHandler } from '../../worker/kinds/handler.ts'
import { findStale, parseEarlier, removeStale, staleKeys } from '../../worker/stale.ts'
import { openStorage, type Storage } from '../../worker/storage.ts'
import { runTask } from '../../worker/task.ts'
import { fence, openWorkshop, type Workshop } from './workshop.ts'

// A job that runs again leaves what it makes now, and nothing of what it made before and does not make any more.

const file = (key: string, more: Partial<ManifestFile> = {}): ManifestFile => ({
  ...{ key, bytes: 1, sha256: '0'.repeat(64), contentType: 'text/plain', role: 'segment' },
  ...more,
})
const manifest = (keys: readonly (string | ManifestFile)[], more: Partial<Manifest> = {}): Manifest => ({
  ...{ schemaVersion: 1, jobId: 'film', kind: 'transcode', fence, finishedAt: '2026-11-22T10:00:00.000Z' },
  files: keys.map((key) => (typeof key === 'string' ? file(key) : key)),
  ...more,
})
const step = (jobId: string, parent: string): Partial<Manifest> => ({ jobId, parent, kind: 'stitch' })
const uid = 'abcdefghij0123456789'

describe('stale is', () => {
  test.each<[string, Manifest, Manifest, string[]]>([
    ['nothing of the same files', manifest(['out/a', 'out/b']), manifest(['out/b', 'out/a']), []],
    ['what is not made any more', manifest(['out/a', 'out/b']), manifest(['out/b', 'out/c']), ['out/a']],
    ['everything, where nothing is made any more', manifest(['out/a']), manifest([]), ['out/a']],
    [
      'nothing of another job in the same prefix',
      manifest(['out/a'], { jobId: 'other' }),
      manifest(['out/b']),
      [],
    ],
    ['nothing outside of the prefix', manifest(['elsewhere/a', 'ou', 'out']), manifest(['out/b']), []],
    [
      'nothing that another job has added',
      manifest(['out/a', file('out/subtitles/en/index.m3u8', { by: 'subtitles-1' })]),
      manifest(['out/b']),
      ['out/a'],
    ],
    [
      'what the same step of the same pipeline made in an earlier generation',
      manifest(['out/a'], step('film-stitch-1', `film/${uid}`)),
      manifest(['out/b'], step('film-stitch-2', `film/${uid}`)),
      ['out/a'],
    ],
    [
      'nothing of another pipeline',
      manifest(['out/a'], step('other-stitch-1', `other/${uid}`)),
      manifest(['out/b'], step('film-stitch-2', `film/${uid}`)),
      [],
    ],
    [
      'what the job made as one task, now that it is a pipeline',
      manifest(['out/a']),
      manifest(['out/b'], step('film-stitch-2', `film/${uid}`)),
      ['out/a'],
    ],
    [
      'what the job made as a pipeline, now that it is one task',
      manifest(['out/a'], step('film-stitch-2', `film/${uid}`)),
      manifest(['out/b']),
      ['out/a'],
    ],
    [
      'nothing of a job that is only named like a step',
      manifest(['out/a'], { jobId: 'film-stitch-1' }),
      manifest(['out/b'], step('film-stitch-1', `film/${uid}`)),
      [],
    ],
  ])('%s', (_name, earlier, now, want) => {
    expect(staleKeys(earlier, now, 'out/')).toEqual(want)
  })
})

test.each([
  ['no JSON', '{"files"', /not JSON/],
  ['another form', '{"schemaVersion":2}', /jobId/],
  ['no manifest at all', '"text"', /whole/],
])('a manifest that is %s is not believed', (_name, text, why) => {
  expect(parseEarlier(text)).toEqual({ is: 'unreadable', why: expect.stringMatching(why) })
})

describe('what S3 refuses', () => {
  const signal = new AbortController().signal
  const warnings: unknown[] = []
  const log = { warn: (...said: unknown[]) => void warnings.push(said), info: () => undefined }
  const refusing = (error: WorkerError): Pick<Storage, 'readText' | 'remove'> => ({
    readText: () => Promise.reject(error),
    remove: () => Promise.reject(error),
  })
  const find = (error: WorkerError) =>
    findStale(refusing(error), 'out/manifest.json', manifest([]), 'out/', { signal, log })

  test.each(['INPUT_FORBIDDEN', 'INPUT_TOO_LARGE'] as const)(
    'to be read (%s) is left as it is, and said so',
    async (code) => {
      warnings.length = 0
      expect(await find(new WorkerError(code))).toEqual([])
      expect(warnings).toHaveLength(1)
    },
  )

  test('to be deleted stays, and said so', async () => {
    warnings.length = 0
    await removeStale(refusing(new WorkerError('OUTPUT_FORBIDDEN')), ['out/a'], { signal, log })
    expect(warnings).toHaveLength(1)
  })

  test('for a while is no answer: the attempt is repeated', async () => {
    const silent = new WorkerError('STORAGE_UNAVAILABLE')
    await expect(find(silent)).rejects.toBe(silent)
    await expect(removeStale(refusing(silent), ['out/a'], { signal, log })).rejects.toBe(silent)
  })
})

describe('a task that is run again', () => {
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

  /** A kind that makes files of these names. */
  const making =
    (...names: string[]): KindHandler =>
    async ({ scratch, storage, settings, signal }) => {
      const path = join(scratch, 'file')
      await writeFile(path, 'content')
      const files = []
      for (const name of names)
        files.push(await storage.upload(path, `${settings.output}${name}`, 'segment', signal))
      return { files, result: {} }
    }
  const run = async (
    jobId: string,
    handler: KindHandler,
    { output, parent, storage = (own: Storage) => own }: RunOptions = {},
  ) => {
    const settings = {
      ...(output === undefined ? {} : { output }),
      ...(parent === undefined ? {} : { parent }),
    }
    await workshop.putJob(jobId, settings)
    return runTask({
      environment: readEnvironment(workshop.environmentOf(jobId)),
      table: workshop.aws.clients().documents,
      openStorage: async () =>
        storage(
          openStorage({
            client: s3,
            outputsBucket: workshop.aws.configuration.OUTPUTS_BUCKET,
            patience: { forMs: 5000, nowMs: Date.now, random: () => 0 },
          }),
        ),
      handlers: { transcode: async () => handler },
      shutdown: new AbortController().signal,
      log: pino({ level: 'silent' }),
      nowMs: Date.now,
      random: () => 0,
    })
  }
  type RunOptions = { output?: string; parent?: string; storage?: (own: Storage) => Storage }
  const put = (key: string, text: string) =>
    s3.send(new PutObjectCommand({ Bucket: workshop.aws.configuration.OUTPUTS_BUCKET, Key: key, Body: text }))
  const manifestAt = async (prefix: string) =>
    manifestSchema.parse(JSON.parse((await workshop.output(`${prefix}manifest.json`)).content.toString()))

  test('with fewer renditions leaves those, and nothing of the others', async () => {
    expect(await run('fewer', making('360p.m4s', '720p.m4s', 'master.m3u8'))).toBe(0)
    await put('results/fewer/mine.txt', 'somebody put this here')
    expect(await run('fewer', making('360p.m4s', 'master.m3u8'))).toBe(0)
    expect(await workshop.outputs('results/fewer/')).toEqual(
      ['360p.m4s', 'manifest.json', 'master.m3u8', 'mine.txt'].map((name) => `results/fewer/${name}`),
    )
    // The proof that the job is still ours stands right before the manifest.
    expect((await workshop.record('fewer'))?.progress).toMatchObject({ beat: 2, stage: 'publish' })
  })

  test('with the same files deletes nothing, and proves once that the job is its own', async () => {
    const storage = (own: Storage): Storage => ({
      ...own,
      remove: () => Promise.reject(new Error('nothing is stale')),
    })
    for (const _run of [1, 2]) expect(await run('same', making('a', 'b'), { storage })).toBe(0)
    expect((await workshop.record('same'))?.progress).toMatchObject({ beat: 1 })
  })

  test('touches nothing that another job has made in the same prefix', async () => {
    expect(await run('one', making('one-a', 'shared'), { output: 'shared/' })).toBe(0)
    expect(await run('two', making('two-a'), { output: 'shared/' })).toBe(0)
    expect(await workshop.outputs('shared/')).toEqual(
      ['manifest.json', 'one-a', 'shared', 'two-a'].map((name) => `shared/${name}`),
    )
  })

  test('goes by the pipeline whose step it is, and says so in its manifest', async () => {
    const parent = `lecture/${uid}`
    const output = 'results/lecture/'
    expect(await run('lecture-publish-1', making('lecture.srt', 'lecture.vtt'), { output, parent })).toBe(0)
    expect(await run('lecture-publish-2', making('lecture.srt'), { output, parent })).toBe(0)
    expect(await workshop.outputs(output)).toEqual([`${output}lecture.srt`, `${output}manifest.json`])
    expect(await manifestAt(output)).toMatchObject({ jobId: 'lecture-publish-2', parent })
  })

  test('replaces a damaged manifest, and leaves the files of before', async () => {
    expect(await run('damaged', making('a', 'b'))).toBe(0)
    await put('results/damaged/manifest.json', '{"schemaVersion":1,"files":"all"}')
    expect(await run('damaged', making('b'))).toBe(0)
    expect(await workshop.outputs('results/damaged/')).toEqual(
      ['a', 'b', 'manifest.json'].map((name) => `results/damaged/${name}`),
    )
    expect((await manifestAt('results/damaged/')).files.map(({ key }) => key)).toEqual(['results/damaged/b'])
  })

  test('killed between the deletions and its manifest leaves what the next attempt puts right', async () => {
    expect(await run('killed', making('a', 'b'))).toBe(0)
    const storage = (own: Storage): Storage => ({
      ...own,
      uploadText: () => Promise.reject(new WorkerError('INTERNAL_ERROR', 'gone')),
    })
    expect(await run('killed', making('b', 'c'), { storage })).toBe(70)
    const [, ...files] = ['a', 'b', 'c', 'manifest.json'].map((name) => `results/killed/${name}`)
    expect(await workshop.outputs('results/killed/')).toEqual(files)
    expect(await run('killed', making('c'))).toBe(0)
    expect(await workshop.outputs('results/killed/')).toEqual([
      'results/killed/c',
      'results/killed/manifest.json',
    ])
  })

  test('that has lost its job deletes nothing', async () => {
    expect(await run('lost', making('a', 'b'))).toBe(0)
    const handler: KindHandler = async (work) => {
      const finished = await making('b')(work)
      await workshop.replaceFence('lost')
      return finished
    }
    expect(await run('lost', handler)).toBe(76)
    expect(await workshop.outputs('results/lost/')).toEqual(
      ['a', 'b', 'manifest.json'].map((name) => `results/lost/${name}`),
    )
  })
})
