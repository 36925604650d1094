import { execFile, spawn } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { findProgram } from '../../scripts/command.ts'
import { type ImageName, imageNames } from '../../scripts/image-plan.ts'

const run = promisify(execFile)
const root = resolve(import.meta.dirname, '../..')
/** Kept between runs: a base takes a minute to make, and the layers of a build are used again. */
const store = resolve(root, '.local/images')
const storage = [
  '--storage-driver',
  'overlay',
  '--root',
  join(store, 'store'),
  '--runroot',
  join(store, 'run'),
]
const nodeVersion = '24.21.0'
const nodePackage = `node-linux-${process.arch}`
const localBase = `localhost/node-base:${nodeVersion}`

export const buildah = async (...args: string[]): Promise<string> =>
  (await run('buildah', [...storage, ...args], { cwd: root, maxBuffer: 1e8 })).stdout.trim()

export type BuiltImage = {
  name: ImageName
  bytes: number
  config: {
    User: string
    Entrypoint: string[]
    Cmd: string[]
    Env: string[]
    Healthcheck: { Test: string[] }
  }
  /** Its files, mounted. */
  folder: string
}

/** Builds both images with buildah, in this machine's own chroot. What is missing ends it; nothing is skipped. */
export async function buildImages(): Promise<Record<ImageName, BuiltImage>> {
  const missing = ['buildah', 'runc', 'debootstrap', 'npm'].filter((name) => findProgram(name) === undefined)
  if (missing.length > 0)
    throw new Error(
      `not on PATH: ${missing.join(', ')}. On Debian: apt-get install buildah runc debootstrap npm`,
    )
  if (process.getuid?.() !== 0)
    throw new Error('images are built and mounted as root: sudo npm run images:check')
  await mkdir(store, { recursive: true })
  const base = process.env.NODE_IMAGE ?? (await makeBase())
  const scratch = await mkdtemp(join(tmpdir(), 'images-'))
  try {
    const npmrc = join(scratch, 'npmrc')
    const { stdout: registry } = await run('npm', ['config', 'get', 'registry'])
    await writeFile(npmrc, `registry=${registry.trim()}\n# ${secretMark}\n`, { mode: 0o600 })
    const images: BuiltImage[] = []
    for (const name of imageNames) images.push(await buildImage(name, base, npmrc))
    const [controller, worker] = images
    if (controller === undefined || worker === undefined) throw new Error('an image is missing')
    return { controller, worker }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

/** Stands in the file that is given to the build as a secret, and must be found nowhere afterwards. */
export const secretMark = 'secret-of-the-build-4c7d1a'

async function buildImage(name: ImageName, base: string, npmrc: string): Promise<BuiltImage> {
  const tag = `localhost/${name}:check`
  await inFront('buildah', [
    ...storage,
    ...['build', '--format', 'docker', '--isolation', 'chroot', '--layers', '--file', `Dockerfile.${name}`],
    ...['--build-arg', `NODE_IMAGE=${base}`, '--secret', `id=npmrc,src=${npmrc}`, '--tag', tag, '.'],
  ])
  const inspected = JSON.parse(await buildah('inspect', '--type', 'image', tag))
  const container = await buildah('from', tag)
  const listed = JSON.parse(await buildah('images', '--json', tag)) as { size: string }[]
  return {
    name,
    bytes: bytesOf(listed[0]?.size ?? ''),
    config: inspected.Docker.config,
    folder: await buildah('mount', container),
  }
}

/** `140 MB`, as buildah says it. */
const bytesOf = (size: string): number => {
  const [, number = '', unit = ''] = /^([\d.]+) (\w+)$/.exec(size) ?? []
  return Number(number) * ({ KB: 1e3, MB: 1e6, GB: 1e9 }[unit] ?? Number.NaN)
}

/**
 * A stand-in for the official image of Node, made of the same parts: Debian, and the program that Node's makers publish, by way of
 * npm. Certificates of this machine go along, because a build behind a proxy needs them.
 */
async function makeBase(): Promise<string> {
  const there = await buildah('images', '--quiet', localBase).catch(() => '')
  if (there !== '') return localBase
  const folder = await mkdtemp(join(tmpdir(), 'node-base-'))
  const debian = join(folder, 'debian')
  try {
    const mirror = 'http://deb.debian.org/debian'
    await inFront('debootstrap', ['--variant=minbase', '--include=ca-certificates', 'trixie', debian, mirror])
    await writeFile(join(folder, 'package.json'), '{ "private": true }')
    const packages = [`${nodePackage}@${nodeVersion}`, 'npm@11']
    await inFront('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', ...packages])
    await cp(join(folder, 'node_modules', nodePackage, 'bin/node'), join(debian, 'usr/local/bin/node'))
    const modules = join(debian, 'usr/local/lib/node_modules')
    await cp(join(folder, 'node_modules/npm'), join(modules, 'npm'), { recursive: true })
    await symlink('../lib/node_modules/npm/bin/npm-cli.js', join(debian, 'usr/local/bin/npm'))
    const certificates = process.env.NODE_EXTRA_CA_CERTS
    const place = '/usr/local/share/certificates-of-the-machine.pem'
    if (certificates !== undefined && (await stat(certificates)).isFile())
      await writeFile(join(debian, place), await readFile(certificates))
    const container = await buildah('from', 'scratch')
    await buildah('add', '--quiet', container, debian, '/')
    await buildah('config', '--env', 'PATH=/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin', container)
    if (certificates !== undefined)
      await buildah('config', '--env', `NODE_EXTRA_CA_CERTS=${place}`, container)
    await buildah('commit', '--quiet', '--rm', container, localBase)
    return localBase
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

const inFront = (program: string, args: string[]): Promise<void> =>
  new Promise((done, fail) => {
    const child = spawn(program, args, { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] })
    let complained = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complained = `${complained}${text}`.slice(-4000)
    })
    child.on('error', fail)
    child.on('close', (code) =>
      code === 0 ? done() : fail(new Error(`${program} ended with ${code}: ${complained}`)),
    )
  })

export async function removeContainers(): Promise<void> {
  await buildah('rm', '--all')
}
