import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stackName } from '../../cdktf/config.ts'

let outdir: string
beforeAll(async () => {
  outdir = await mkdtemp(join(tmpdir(), 'synth-'))
})
afterAll(() => rm(outdir, { recursive: true, force: true }))

/** The process that `cdktf` starts, with what a person has in the environment. */
async function main(variables: Record<string, string>): Promise<{ code: number; said: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', 'cdktf/main.ts'], {
    env: { ...process.env, CDKTF_OUTDIR: outdir, ...variables },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const words: Buffer[] = []
  child.stderr.on('data', (chunk: Buffer) => words.push(chunk))
  const [code] = (await once(child, 'close')) as [number]
  return { code, said: Buffer.concat(words).toString() }
}

test('one stack is written, so that a bare cdktf deploy knows what is meant', async () => {
  expect(await main({ ENVIRONMENT: 'dev', INSTALLATION: 'clips' })).toEqual({ code: 0, said: '' })
  const manifest = JSON.parse(await readFile(join(outdir, 'manifest.json'), 'utf8')) as {
    stacks: Record<string, { synthesizedStackPath: string }>
  }
  expect(Object.keys(manifest.stacks)).toEqual([stackName('clips')])
  const path = manifest.stacks[stackName('clips')]?.synthesizedStackPath ?? ''
  const { terraform } = JSON.parse(await readFile(join(outdir, path), 'utf8')) as {
    terraform: { backend: { local: { path: string } } }
  }
  expect(terraform.backend.local.path).toMatch(/terraform\.ecs-job-operator-clips\.tfstate$/)
})

test('what is wrong is said in sentences, and nothing is written', async () => {
  expect(await main({ ENVIRONMENT: 'dev', ALARM_EMAIL: 'ops', MAX_VCPU: 'many' })).toEqual({
    code: 78,
    said:
      'ALARM_EMAIL: "ops" is not allowed: must be an e-mail address\n' +
      'MAX_VCPU: "many" is not allowed: must be a number from 0 to 100000\n',
  })
})
