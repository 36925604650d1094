import { appendFile, mkdir, mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { createLogs } from '../../local/logs.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'logs-'))
})
afterEach(() => rm(directory, { recursive: true, force: true }))

const stream = 'task/worker/0123'
const file = () => join(directory, `${stream}.log`)

/** Writes a log whose last line has been quiet for a while. */
const write = async (text: string) => {
  await mkdir(dirname(file()), { recursive: true })
  await writeFile(file(), text)
  await utimes(file(), new Date(), new Date(Date.now() - 10_000))
}

const call = async (action: string, input: object) => {
  const answer = await createLogs(directory, (group) => `arn:log-group:${group}`).call(action, {
    logGroupName: 'tasks',
    ...input,
  })
  if ('drop' in answer) throw new Error('dropped')
  return answer
}

const pageSchema = z.object({
  events: z.array(z.object({ message: z.string(), timestamp: z.number(), ingestionTime: z.number() })),
  nextForwardToken: z.string(),
  nextBackwardToken: z.string(),
})

const get = async (input: object = {}) => {
  const page = pageSchema.parse((await call('GetLogEvents', { logStreamName: stream, ...input })).body)
  return { ...page, messages: page.events.map(({ message }) => message) }
}

test('from the head, page by page, until the token stays the same', async () => {
  await write('one\ntwo\nthree\n')
  const first = await get({ startFromHead: true, limit: 2 })
  expect(first.messages).toEqual(['one', 'two'])
  const second = await get({ nextToken: first.nextForwardToken, limit: 2 })
  expect(second.messages).toEqual(['three'])
  const third = await get({ nextToken: second.nextForwardToken })
  expect(third.messages).toEqual([])
  expect(third.nextForwardToken).toBe(second.nextForwardToken)
})

test('from the end backwards, page by page', async () => {
  await write('one\ntwo\nthree\n')
  const last = await get({ limit: 2 })
  expect(last.messages).toEqual(['two', 'three'])
  const before = await get({ nextToken: last.nextBackwardToken, limit: 2 })
  expect(before.messages).toEqual(['one'])
  expect((await get({ nextToken: before.nextBackwardToken })).messages).toEqual([])
})

test('a log is followed while it grows', async () => {
  await write('one\n')
  const { nextForwardToken } = await get()
  await appendFile(file(), 'two\nhalf a li')
  const next = await get({ nextToken: nextForwardToken })
  expect(next.messages).toEqual(['two'])
  await appendFile(file(), 'ne\n')
  expect((await get({ nextToken: next.nextForwardToken })).messages).toEqual(['half a line'])
})

test('a last line without an end is shown once nobody writes any more', async () => {
  await write('one\nlast words')
  expect((await get()).messages).toEqual(['one', 'last words'])
  expect((await get({ startFromHead: true })).messages).toEqual(['one', 'last words'])
})

test('a page holds at most a megabyte, and loses no line at its edges', async () => {
  const lines = Array.from({ length: 30 }, (_, index) => `${index} ${'x'.repeat(80_000)}`)
  await write(`${lines.join('\n')}\n`)
  const forward: string[] = []
  let token: string | undefined
  for (let pages = 0; pages < 4; pages += 1) {
    const page = await get(token === undefined ? { startFromHead: true } : { nextToken: token })
    expect(Buffer.byteLength(page.messages.join(''))).toBeLessThanOrEqual(1024 * 1024)
    forward.push(...page.messages)
    token = page.nextForwardToken
  }
  expect(forward.join('\n') === lines.join('\n')).toBe(true)

  let backward: string[] = []
  token = undefined
  for (let pages = 0; pages < 4; pages += 1) {
    const page = await get(token === undefined ? {} : { nextToken: token })
    backward = [...page.messages, ...backward]
    token = page.nextBackwardToken
  }
  expect(backward.join('\n') === lines.join('\n')).toBe(true)
})

test('a line of more than a megabyte does not stop the reader', async () => {
  await write(`${'x'.repeat(2_500_000)}\nend\n`)
  const read: string[] = []
  let token: string | undefined
  for (let pages = 0; pages < 5; pages += 1) {
    const page = await get(token === undefined ? { startFromHead: true } : { nextToken: token })
    read.push(...page.messages)
    token = page.nextForwardToken
  }
  expect(read.at(-1)).toBe('end')
  expect(read.join('').length).toBe(2_500_003)

  const back: string[] = []
  token = undefined
  for (let pages = 0; pages < 5; pages += 1) {
    const page = await get(token === undefined ? {} : { nextToken: token })
    back.unshift(...page.messages)
    token = page.nextBackwardToken
  }
  expect(back.join('').length).toBe(2_500_003)
})

test('times come from lines that have one, and startTime and endTime choose', async () => {
  await write('{"time":1000,"msg":"a"}\nb\n{"time":2000,"msg":"c"}\n{"time":"x"}\n')
  const { events } = await get({ startFromHead: true })
  expect(events.map(({ timestamp }) => timestamp)).toEqual([1000, 1000, 2000, 2000])
  expect((await get({ startTime: 1500 })).messages).toHaveLength(2)
  expect((await get({ endTime: 2000 })).messages).toHaveLength(2)
})

test('an empty log has no events, and a place to go on from', async () => {
  await write('')
  expect(await get()).toMatchObject({ events: [], nextForwardToken: 'f/0', nextBackwardToken: 'b/0' })
})

test.each([
  ['a stream that is not there', { logStreamName: 'task/worker/none' }, 'ResourceNotFoundException'],
  ['a stream outside of the logs', { logStreamName: '../../../etc/passwd' }, 'ResourceNotFoundException'],
  ['a token that is none', { logStreamName: stream, nextToken: 'nonsense' }, 'InvalidParameterException'],
  ['a token beyond the end', { logStreamName: stream, nextToken: 'f/99' }, 'InvalidParameterException'],
  ['no stream', {}, 'InvalidParameterException'],
  ['a limit of 0', { logStreamName: stream, limit: 0 }, 'InvalidParameterException'],
])('refused: %s', async (_, input, type) => {
  await write('one\n')
  expect(await call('GetLogEvents', input)).toMatchObject({ status: 400, body: { __type: type } })
})

test('streams are listed by name or by their last event, in pages', async () => {
  await mkdir(join(directory, 'task/worker'), { recursive: true })
  for (const [name, ageMs] of [
    ['a', 1_000],
    ['b', 3_000],
    ['c', 2_000],
  ] as const) {
    const path = join(directory, `task/worker/${name}.log`)
    await writeFile(path, 'x\n')
    await utimes(path, new Date(), new Date(Date.now() - ageMs))
  }
  const list = async (input: object) => {
    const { body } = await call('DescribeLogStreams', input)
    const { logStreams, nextToken } = z
      .object({
        logStreams: z.array(z.object({ logStreamName: z.string() })),
        nextToken: z.string().optional(),
      })
      .parse(body)
    return { names: logStreams.map(({ logStreamName }) => logStreamName.split('/').at(-1)), nextToken }
  }
  expect((await list({})).names).toEqual(['a', 'b', 'c'])
  expect((await list({ orderBy: 'LastEventTime', descending: true })).names).toEqual(['a', 'c', 'b'])
  expect((await list({ logStreamNamePrefix: 'task/worker/b' })).names).toEqual(['b'])
  expect((await list({ logStreamNamePrefix: 'other/' })).names).toEqual([])
  const first = await list({ limit: 2 })
  expect(first.names).toEqual(['a', 'b'])
  expect(await list({ limit: 2, nextToken: first.nextToken })).toEqual({ names: ['c'], nextToken: undefined })
})

test('before the first task there are no streams', async () => {
  await rm(directory, { recursive: true })
  expect((await call('DescribeLogStreams', {})).body).toEqual({ logStreams: [] })
})
