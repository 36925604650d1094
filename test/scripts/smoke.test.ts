import { execFile } from 'node:child_process'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestAws } from '../support/local-aws.ts'
import { type Operator, startOperator } from '../support/operator.ts'

let operator: Operator
beforeAll(async () => {
  operator = await startOperator()
}, 120_000)
afterAll(() => operator.close())

/** `npm run smoke`, as a process of its own, against the whole system. */
const smoke = (...args: string[]) =>
  new Promise<{ code: number; said: string; complained: string }>((done) => {
    const env = {
      PATH: process.env.PATH,
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    }
    execFile(
      process.execPath,
      ['--import', 'tsx', 'scripts/smoke.ts', ...args],
      { env },
      (error, said, complained) => done({ code: error ? Number(error.code) : 0, said, complained }),
    )
  })

test('against the AWS of this machine it uploads, waits, and says what came out', async () => {
  const { code, said, complained } = await smoke('--endpoint', operator.aws.endpoint)
  expect({ code, complained }).toEqual({ code: 0, complained: '' })
  expect(said).toMatch(/job transcode-smoke-[0-9a-f]{16}/)
  expect(said).toMatch(/Succeeded/)
  expect(said).toMatch(/\d+ bytes {2}results\/\S+\/master\.m3u8/)
  expect(said).toMatch(/\d+ files\. It works\./)
}, 180_000)

test('through the HTTP API, too', async () => {
  const { code, said } = await smoke('--url', operator.controller.url)
  expect(code).toBe(0)
  expect(said).toMatch(/\d+ files\. It works\./)
}, 180_000)

test('a job that fails makes it fail, with the reason of the job', async () => {
  const { code, said } = await smoke('--endpoint', operator.aws.endpoint, '--file', 'package.json')
  expect(code).toBe(1)
  expect(said).toMatch(/Failed {2}.*/)
}, 180_000)

test('where nobody makes a job of the upload it gives up in time and says what it waited for', async () => {
  const aws = await startTestAws()
  const { code, complained } = await smoke('--endpoint', aws.endpoint, '--timeout-s', '2')
  await aws.close()
  expect(code).toBe(78)
  expect(complained).toMatch(/still "no record yet" after 2 s/)
}, 60_000)

test('a bucket that does not exist is said in the words of AWS', async () => {
  const { code, complained } = await smoke('--endpoint', operator.aws.endpoint, '--uploads', 'nobodys')
  expect(code).toBe(78)
  expect(complained).toMatch(/NoSuchBucket/)
}, 60_000)

test.each([
  [['--file', '/no/such/file', '--local'], /--file: there is no file \/no\/such\/file/],
  // A step of a pipeline is nothing that an upload becomes.
  [['--kind', 'encode-shard'], /--kind: "encode-shard" is not allowed: must be one of: .*transcode/],
  [['--kind', 'transcoed'], /--kind: "transcoed" is not allowed: must be one of: .*transcode/],
  [['--timeout-s', 'soon'], /--timeout-s: "soon" is not allowed/],
])('%j is refused by name', async (args, words) => {
  const { code, complained } = await smoke(...args)
  expect(code).toBe(78)
  expect(complained).toMatch(words)
})
