import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { DescribeTaskDefinitionCommand, RegisterTaskDefinitionCommand } from '@aws-sdk/client-ecs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundle } from '../../scripts/bundle.ts'
import { npmMediaTools } from '../support/clips.ts'
import { spawnController } from '../support/controller.ts'
import { startTestAws, type TestAws } from '../support/local-aws.ts'
import { startOperator } from '../support/operator.ts'
import { until } from '../support/wait.ts'

let folder: string
let aws: TestAws
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bundle-'))
  aws = await startTestAws()
  await Promise.all([bundle('controller', join(folder, 'one')), bundle('controller', join(folder, 'two'))])
  await bundle('worker', join(folder, 'three'))
})
afterAll(async () => {
  await aws.close()
  await rm(folder, { recursive: true, force: true })
})

const filesOf = async (name: string): Promise<Record<string, string>> => {
  const entries = await readdir(join(folder, name), { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const texts = await Promise.all(
    files.map(async (file) => [file.slice(join(folder, name).length), await readFile(file, 'utf8')]),
  )
  return Object.fromEntries(texts)
}

test('the same sources give the same bytes, and no path of this machine is in them', async () => {
  const [one, two] = [await filesOf('one'), await filesOf('two')]
  for (const [path, text] of Object.entries(two)) expect(one[path] === text, path).toBe(true)
  expect(Object.values(one).some((text) => text.includes(process.cwd()))).toBe(false)
})

test('the bundled controller serves status, page and API like its sources', async () => {
  const controllers = [
    spawnController(aws, { entry: join(folder, 'one/controller/main.mjs') }),
    spawnController(aws),
  ]
  try {
    const answers = await Promise.all(
      controllers.map(async (controller) => {
        const url = await until('it to listen', () => controller.url())
        await until('it to be ready', async () => (await fetch(`${url}/readyz`)).ok)
        const paths = ['/', '/page.js', '/list.css', '/openapi.json', '/healthz', '/nothing']
        const ask = async (path: string) => {
          const answer = await fetch(`${url}${path}`)
          const text = (await answer.text()).replaceAll(url, '')
          return [path, answer.status, answer.headers.get('content-type'), text]
        }
        return Promise.all(paths.map(ask))
      }),
    )
    expect(answers[0]).toEqual(answers[1])
    expect(answers[0]?.map(([, status]) => status)).toEqual([200, 200, 200, 200, 200, 404])
  } finally {
    for (const controller of controllers) expect((await controller.end('SIGTERM')).code).toBe(0)
  }
})

test('the bundled worker does a whole job', async () => {
  // Away from node_modules a bundle finds no ffmpeg there; an image has one in its PATH.
  const { ffmpeg, ffprobe } = await npmMediaTools(folder)
  const environment = { FFMPEG_PATH: ffmpeg.path, FFPROBE_PATH: ffprobe.path }
  const operator = await startOperator({}, { environment })
  try {
    const { ecs } = operator.aws.clients()
    const { taskDefinition } = await ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition: 'worker' }))
    const [container] = taskDefinition?.containerDefinitions ?? []
    const { networkMode, requiresCompatibilities, cpu, memory } = taskDefinition ?? {}
    const command = [process.execPath, join(folder, 'three/worker/main.mjs')]
    await ecs.send(
      new RegisterTaskDefinitionCommand({
        ...{ family: 'worker', networkMode, requiresCompatibilities, cpu, memory },
        containerDefinitions: [{ ...container, command }],
      }),
    )
    const smoke = ['--import', 'tsx', 'scripts/smoke.ts', '--endpoint', operator.aws.endpoint]
    const { stdout } = await promisify(execFile)(process.execPath, smoke).catch(
      (error: { stdout: string }) => error,
    )
    expect(stdout).toMatch(/files\. It works\./)
    expect(stdout).not.toContain('Backoff')
  } finally {
    await operator.close()
  }
}, 120_000)

test('the bundled worker claims before it loads what only work needs', async () => {
  const main = await readFile(join(folder, 'three/worker/main.mjs'), 'utf8')
  expect(main).toMatch(/import\("\.\/task-[^"]+\.mjs"\)/)
  expect(main.length).toBeLessThan(20_000)
})
