import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'doctor-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

/** `npm run doctor` in a machine of this environment; every port is free unless it says otherwise. */
const doctor = (environment: Record<string, string> = {}) =>
  new Promise<{ code: number; said: string }>((done) => {
    const env = {
      PATH: process.env.PATH,
      PORT: '0',
      LOCAL_AWS_PORT: '0',
      LOCAL_DATA_DIR: join(directory, 'not/there/yet'),
      ...environment,
    }
    execFile(process.execPath, ['--import', 'tsx', 'scripts/doctor.ts'], { env }, (error, said) =>
      done({ code: error ? Number(error.code) : 0, said }),
    )
  })

test('on a machine that has everything it says so and exits 0', async () => {
  const { code, said } = await doctor()
  expect({ code, missing: /MISSING.*/.exec(said) }).toEqual({ code: 0, missing: null })
  for (const what of [
    'Node',
    'configuration',
    'ffmpeg',
    'ffprobe',
    'filters',
    'port',
    'data directory',
    'disk',
  ])
    expect(said).toMatch(new RegExp(`ok +.*${what}`))
  expect(said).toContain('All is well.')
})

test('each thing that is missing gets a line that says how to get it, and the exit code is 1', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const port = String((other.address() as { port: number }).port)
  const { code, said } = await doctor({ PORT: port, FFMPEG_PATH: '/no/such/ffmpeg' })
  other.close()
  expect(code).toBe(1)
  expect(said).toMatch(new RegExp(`MISSING +port ${port} +in use\n +-> .*set PORT`))
  expect(said).toMatch(/MISSING +ffmpeg and ffprobe.*\n +-> .*FFMPEG_PATH is \/no\/such\/ffmpeg/)
  expect(said).toContain('2 of ')
})

test('a wrong setting is one of them', async () => {
  const { code, said } = await doctor({ MAX_VCPUS: '3' })
  expect(code).toBe(1)
  expect(said).toMatch(/MISSING +configuration.*\n +-> MAX_VCPUS: .*did you mean MAX_VCPU\?/)
})
