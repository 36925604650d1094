import { execFile } from 'node:child_process'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Pinned, so that a new release never makes a red build out of nothing. moto brings boto3, AWS's own library, by which we send. */
const packages = { moto: '5.2.5', boto3: '1.44.5', botocore: '1.44.5' }

const venv = resolve(import.meta.dirname, '../../.local/moto')

export const motoServer = join(venv, 'bin/moto_server')
export const python = join(venv, 'bin/python')

/** Puts moto into `.local/moto/`, unless it is there in this version. Without it nothing is skipped: the run fails. */
export default async function install(): Promise<void> {
  if (await isThere()) return
  const wanted = Object.entries(packages).map(([name, version]) =>
    name === 'moto' ? `moto[server]==${version}` : `${name}==${version}`,
  )
  process.stdout.write(`Installing ${wanted.join(' ')} into ${venv}\n`)
  await run('python3', ['-m', 'venv', '--clear', venv]).catch((error: unknown) => {
    throw new Error(
      'python3 -m venv does not work. On Debian and Ubuntu: apt-get install python3 python3-venv',
      { cause: error },
    )
  })
  await run(join(venv, 'bin/pip'), [
    'install',
    '--quiet',
    '--no-compile',
    '--disable-pip-version-check',
    ...wanted,
  ])
  if (!(await isThere())) throw new Error(`${venv} does not have ${wanted.join(' ')}`)
}

async function isThere(): Promise<boolean> {
  const ask = `import importlib.metadata as m; print(*(m.version(name) for name in ${JSON.stringify(Object.keys(packages))}))`
  const { stdout } = await run(python, ['-c', ask]).catch(() => ({ stdout: '' }))
  return stdout.trim() === Object.values(packages).join(' ')
}
