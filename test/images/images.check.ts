import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { DescribeTaskDefinitionCommand, RegisterTaskDefinitionCommand } from '@aws-sdk/client-ecs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type ImageName, imageNames } from '../../scripts/image-plan.ts'
import { controllerEnvironment } from '../support/controller.ts'
import { startTestAws, type TestAws } from '../support/local-aws.ts'
import { until } from '../support/wait.ts'
import { type BuiltImage, buildImages, removeContainers, secretMark } from './build.ts'
import { containerSays, runContainer } from './container.ts'

const run = promisify(execFile)
let images: Record<ImageName, BuiltImage>
beforeAll(async () => {
  images = await buildImages()
  for (const { name, bytes } of Object.values(images))
    process.stdout.write(`${name}: ${(bytes / 1e6).toFixed(0)} MB\n`)
})
afterAll(() => removeContainers())

const node = '/usr/local/bin/node'
const look = (code: string): string[] => [node, '--input-type=module', '--eval', code]

test('the controller weighs less than 200 MB, the worker less than 400 MB', () => {
  expect(images.controller.bytes).toBeLessThan(200e6)
  expect(images.worker.bytes).toBeLessThan(400e6)
})

describe.each(imageNames)('the %s image', (name) => {
  test('belongs to a user without rights', async () => {
    expect(images[name].config.User).toBe('10001:10001')
    const { said } = await containerSays(
      images[name],
      look(
        `import fs from 'node:fs'; console.log(process.getuid(), fs.readFileSync('/proc/self/status', 'utf8').match(/CapEff:\\s*(\\S+)/)[1])`,
      ),
    )
    expect(said).toBe('10001 0000000000000000')
  })

  test('writes to its scratch volume and nowhere else', async () => {
    const { said } = await containerSays(
      images[name],
      look(
        `import fs from 'node:fs'; for (const place of ['/tmp', '/app', '/etc', '/']) { try { fs.writeFileSync(place + '/x', ''); console.log(place) } catch (error) { console.log(error.code) } }`,
      ),
    )
    expect(said.split('\n')).toEqual(['/tmp', 'EROFS', 'EROFS', 'EROFS'])
  })

  test('owns no file that its user could change, and no program that gives rights', async () => {
    const { stdout } = await run('find', [
      images[name].folder,
      ...['-xdev', '-not', '-type', 'l', '-not', '-path', '*/tmp'],
      ...['(', '-user', '10001', '-o', '-perm', '/0022', '-o', '-perm', '/6000', ')'],
    ])
    expect(stdout).toBe('')
  })

  test('has no shell and no package manager', async () => {
    for (const program of ['/bin/sh', '/bin/bash', '/usr/bin/apt-get', '/usr/local/bin/npm'])
      expect((await containerSays(images[name], [program])).code).not.toBe(0)
  })

  test('holds nothing of what was given to the build as a secret', async () => {
    const found = await run('grep', ['-rl', secretMark, images[name].folder]).catch(
      (error: { stdout: string }) => error,
    )
    expect(found.stdout).toBe('')
  })

  test('tells a scanner which packages of Debian are in it', async () => {
    const { said } = await containerSays(
      images[name],
      look(`import fs from 'node:fs'; console.log(fs.readFileSync('/var/lib/dpkg/status', 'utf8'))`),
    )
    const packages = [...said.matchAll(/^Package: (\S+)$/gm)].map(([, one]) => one)
    expect(packages).toEqual(expect.arrayContaining(['libc6', 'libstdc++6', 'tini']))
    if (name === 'worker')
      expect(packages).toEqual(expect.arrayContaining(['ffmpeg', 'libx264-164', 'libavcodec61']))
    expect(said).toMatch(/^Version: \S+$/m)
  })
})

test('the worker has what media work needs, as its own user', async () => {
  const { said } = await containerSays(images.worker, ['/usr/bin/ffmpeg', '-hide_banner', '-filters'])
  for (const filter of ['zscale', 'tonemap', 'scale', 'loudnorm'])
    expect(said).toMatch(new RegExp(` ${filter} `))
})

test('the worker says what its environment lacks, and exits 78', async () => {
  const { code, said } = await containerSays(images.worker, [
    ...images.worker.config.Entrypoint,
    ...images.worker.config.Cmd,
  ])
  expect(code).toBe(78)
  expect(said).toContain('JOB_ID is not set')
})

describe('the images together, against the AWS of this machine', () => {
  let aws: TestAws
  let folder: string
  let environment: Record<string, string>
  let url: string
  beforeAll(async () => {
    aws = await startTestAws()
    folder = await mkdtemp(join(tmpdir(), 'images-check-'))
    await useWorkerImage()
    const port = await freePort()
    url = `http://127.0.0.1:${port}`
    environment = { ...controllerEnvironment(aws), PORT: String(port), LOG_FORMAT: 'json', LEASE_S: '2' }
  })
  afterAll(async () => {
    await aws.close()
    await rm(folder, { recursive: true, force: true })
  })

  /** A new revision of the worker's task definition, as a deployment would make it. */
  async function useWorkerImage(): Promise<void> {
    const file = join(folder, 'worker.json')
    await writeFile(file, JSON.stringify(images.worker))
    const { ecs } = aws.clients()
    const { taskDefinition } = await ecs.send(new DescribeTaskDefinitionCommand({ taskDefinition: 'worker' }))
    const [container] = taskDefinition?.containerDefinitions ?? []
    const tsx = pathToFileURL(resolve('node_modules/tsx/dist/loader.mjs')).href
    await ecs.send(
      new RegisterTaskDefinitionCommand({
        family: 'worker',
        networkMode: 'awsvpc',
        requiresCompatibilities: ['FARGATE'],
        cpu: taskDefinition?.cpu,
        memory: taskDefinition?.memory,
        containerDefinitions: [
          {
            ...container,
            command: [process.execPath, '--import', tsx, resolve('test/images/run-task.ts'), file],
          },
        ],
      }),
    )
  }

  const health = () =>
    containerSays(images.controller, images.controller.config.Healthcheck.Test.slice(1), {
      PORT: environment.PORT,
    })

  test('an upload becomes renditions, and SIGTERM ends the controller in order', async () => {
    expect((await health()).code, 'health before it runs').toBe(1)
    const startedMs = performance.now()
    const controller = runContainer(images.controller, environment, { stdio: 'pipe' })
    let log = ''
    for (const stream of [controller.stdout, controller.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        log += text
      })
    const ended = once(controller, 'close')
    try {
      await until('the controller to be ready', () =>
        fetch(`${url}/readyz`).then(
          ({ ok }) => ok,
          () => false,
        ),
      )
      process.stdout.write(`controller ready after ${Math.round(performance.now() - startedMs)} ms\n`)
      expect((await health()).code, 'health while it runs').toBe(0)
      expect(await (await fetch(`${url}/`)).text()).toContain('<html')
      const smoke = ['--import', 'tsx', 'scripts/smoke.ts', '--endpoint', aws.endpoint]
      const { stdout } = await run(process.execPath, smoke, { cwd: process.cwd() }).catch(
        (error: { stdout: string }) => {
          throw new Error(`${error.stdout}\n${log.slice(-3000)}`)
        },
      )
      expect(stdout).toMatch(/files\. It works\./)
    } finally {
      controller.kill('SIGTERM')
    }
    const endingMs = performance.now()
    const [code] = await ended
    expect({ code, log: log.slice(-500) }).toMatchObject({ code: 0 })
    expect(log).toContain('ending what is under way')
    expect(performance.now() - endingMs).toBeLessThan(10_000)
  })
})

const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
