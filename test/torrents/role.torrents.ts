import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { localAccountId } from '../../local/credentials.ts'
import { jobsTableShape } from '../../schemas/resources.ts'
import { distinct, refused, unused } from '../policy/iam/compare.ts'
import type { Request } from '../policy/iam/evaluate.ts'
import { requestsOf } from '../policy/iam/requests.ts'
import { type Task, tasksOf } from '../policy/iam/roles.ts'
import { startWorld, until, type World } from '../policy/iam/world.ts'
import { readStack } from '../policy/stack.ts'
import { variant } from '../policy/variants.ts'
import type { StoredJob } from '../support/operator.ts'
import { downloadWithAria2 } from './aria2.ts'
import { openTracker, type Tracker } from './tracker.ts'

// The whole of it, from an upload to a client that has the file: under the names and settings of a stack that seeds, with real
// processes; and what the seeding task asked of AWS, held against its role.

vi.setConfig({ hookTimeout: 300_000 })

const place = { region: 'us-east-1', accountId: localAccountId }
const tasks = tasksOf(readStack(variant('dev, seeding')), place)
const task = (name: string): Task => {
  const found = tasks[name]
  if (found === undefined) throw new Error(`there is no task ${name}`)
  return found
}
const role = task('worker-seeding').statements
const content = randomBytes(2_000_000)

let world: World
let tracker: Tracker
let scratch: string
let seeded: StoredJob
let exitCode: number | null
let asked: Request[]

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'role-'))
  tracker = await openTracker()
  world = await startWorld({
    ...task('controller').environment,
    // Any free port instead of the one on AWS: this machine may be seeding something else.
    SEEDING_PORT: '0',
    PRIVATE_SOURCES: '127.0.0.1/32',
  })
  const { s3 } = world.aws.clients()
  const { UPLOADS_BUCKET: uploads, OUTPUTS_BUCKET: outputs } = world.configuration
  await s3.send(new PutObjectCommand({ Bucket: uploads, Key: 'film.bin', Body: content }))
  const submit = (jobId: string, kind: string, spec: Record<string, unknown>) =>
    world.call('POST', '/jobs', { jobId, kind, spec })
  const film = { bucket: uploads, key: 'film.bin' }
  await submit('film', 'torrent', { input: film, params: { trackers: [tracker.url] } })
  await world.phase('film', 'Succeeded')
  const key = 'results/film/film.bin.torrent'
  const { Body: body } = await s3.send(new GetObjectCommand({ Bucket: outputs, Key: key }))
  const torrent = Buffer.from((await body?.transformToByteArray()) ?? [])
  await writeFile(join(scratch, 'film.torrent'), torrent)
  await s3.send(new PutObjectCommand({ Bucket: uploads, Key: 'film.torrent', Body: torrent }))

  await submit('seeding', 'seed', { input: { bucket: outputs, key }, params: { duration: 180, ratio: 1 } })
  // What else a job of this kind can meet: an input of that version, and inputs that are gone.
  const failing = { limits: { attempts: 1 } }
  await submit('version', 'seed', {
    ...failing,
    input: { bucket: uploads, key: 'film.torrent', etag: 'e', versionId: 'v1' },
  })
  await submit('gone', 'seed', { ...failing, input: { bucket: uploads, key: 'gone.torrent', etag: 'e' } })
  await submit('no-data', 'seed', { ...failing, input: { bucket: uploads, key: 'film.torrent' } })
  await until('the tracker to hear of it', () =>
    tracker.announcements.some(({ event }) => event === 'started'),
  )
  const fetched = await downloadWithAria2(join(scratch, 'film.torrent'), { below: scratch })
  ;({ exitCode } = fetched)
  seeded = await world.phase('seeding', 'Succeeded')
  for (const jobId of ['version', 'gone', 'no-data']) await world.phase(jobId, 'Failed')
  const account = { ...place, keyOf: () => jobsTableShape.key, rolesOf: () => [] }
  asked = distinct(world.recorders.seeding.calls.flatMap((call) => requestsOf(call, account)))
})
afterAll(async () => {
  await world.close()
  await tracker.close()
  await rm(scratch, { recursive: true, force: true })
})

test('an upload becomes a torrent, the torrent is seeded, and a client of others has the file', () => {
  expect(exitCode).toBe(0)
  expect(seeded.result).toMatchObject({ endedBy: 'ratio', peersSeen: 1 })
  expect(seeded.progress?.percent).toBe(100)
  expect(tracker.announcements.some(({ event }) => event === 'stopped')).toBe(true)
})

describe('the role of tasks that seed', () => {
  test('allows every call that was recorded', () => {
    expect(asked.length).toBeGreaterThan(5)
    expect(refused(role, asked)).toEqual([])
  })

  test('allows nothing that no run asked for', () => {
    expect(unused(role, asked)).toEqual([])
  })

  test('may not write uploads, delete anything, or read records', () => {
    const s3 = (action: string, bucket: string): Request => ({
      action: `s3:${action}`,
      resource: `arn:aws:s3:::${bucket}/x`,
      context: {},
    })
    const { UPLOADS_BUCKET: uploads, OUTPUTS_BUCKET: outputs } = world.configuration
    const wrong = [
      s3('PutObject', uploads),
      s3('DeleteObject', outputs),
      s3('DeleteObject', uploads),
      {
        action: 'dynamodb:GetItem',
        resource: `arn:aws:dynamodb:us-east-1:${localAccountId}:table/dev-jobs`,
        context: {},
      },
    ]
    expect(refused(role, wrong)).toHaveLength(wrong.length)
  })
})

test('the controller may start it and hand it its role', () => {
  const account = {
    ...place,
    keyOf: () => jobsTableShape.key,
    rolesOf: (family: string) =>
      Object.values(tasks)
        .filter((one) => one.family === family)
        .flatMap(({ roleArn, executionRoleArn }) => [roleArn, executionRoleArn]),
  }
  const calls = world.recorders.controller.calls.flatMap((call) => requestsOf(call, account))
  const runs = distinct(calls).filter(({ resource }) => resource.includes('seeding'))
  expect(runs.map(({ action }) => action)).toEqual(expect.arrayContaining(['ecs:RunTask', 'iam:PassRole']))
  expect(refused(task('controller').statements, runs)).toEqual([])
})
