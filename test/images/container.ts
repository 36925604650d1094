import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BuiltImage } from './build.ts'

export type Runnable = Pick<BuiltImage, 'folder' | 'config'>

/**
 * Runs an image the way Fargate does with our task definitions: its own user, a read-only root, one scratch volume, no rights of
 * the kernel, an own process space in which it is process 1. The network is this machine's, so that it finds the local AWS.
 */
export function runContainer(
  { folder, config }: Runnable,
  environment: Record<string, string>,
  options: { args?: string[]; stdio: 'pipe' | 'inherit' },
): ChildProcess {
  const bundle = mkdtempSync(join(tmpdir(), 'container-'))
  const [uid = '', gid = ''] = config.User.split(':')
  const specification = {
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid: Number(uid), gid: Number(gid) },
      args: options.args ?? [...config.Entrypoint, ...config.Cmd],
      env: [...config.Env, ...Object.entries(environment).map(([name, value]) => `${name}=${value}`)],
      cwd: '/app',
      capabilities: {},
      noNewPrivileges: true,
    },
    root: { path: folder, readonly: true },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'size=65536k'] },
      { destination: '/tmp', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=1777'] },
    ],
    linux: { namespaces: ['pid', 'mount', 'ipc', 'uts'].map((type) => ({ type })) },
  }
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(specification))
  const state = join(bundle, 'state')
  const child = spawn('runc', ['--root', state, 'run', '--bundle', bundle, `check-${randomUUID()}`], {
    stdio: ['ignore', options.stdio, options.stdio],
  })
  child.on('close', () => rmSync(bundle, { recursive: true, force: true }))
  return child
}

export type Ended = { code: number | null; said: string; complained: string }

/** Runs it to its end. */
export function containerSays(image: Runnable, args: string[], environment = {}): Promise<Ended> {
  return new Promise((done, fail) => {
    const child = runContainer(image, environment, { args, stdio: 'pipe' })
    let said = ''
    let complained = ''
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      complained += text
    })
    child.on('error', fail)
    child.on('close', (code) => done({ code, said: said.trim(), complained: complained.trim() }))
  })
}
