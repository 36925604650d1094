import { execFile } from 'node:child_process'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Pinned, so that a new client never makes a red build out of nothing. */
const awsCli = 'awscli==1.46.3'

const venv = resolve(import.meta.dirname, '../../.venv')

export const awsProgram = join(venv, 'bin/aws')

/** Puts the AWS CLI into `.venv/`, unless it is there in this version. Without it nothing is skipped: the run fails. */
export default async function install(): Promise<void> {
  const wanted = awsCli.replace('awscli==', 'aws-cli/')
  const present = await run(awsProgram, ['--version']).catch(() => ({ stdout: '' }))
  if (present.stdout.startsWith(`${wanted} `)) return
  process.stdout.write(`Installing ${awsCli} into ${venv}\n`)
  await run('python3', ['-m', 'venv', '--clear', venv]).catch((error: unknown) => {
    throw new Error(
      'python3 -m venv does not work. On Debian and Ubuntu: apt-get install python3 python3-venv',
      { cause: error },
    )
  })
  await run(join(venv, 'bin/pip'), ['install', '--quiet', '--disable-pip-version-check', awsCli])
  const { stdout } = await run(awsProgram, ['--version'])
  if (!stdout.startsWith(`${wanted} `)) throw new Error(`wanted ${wanted}, got ${stdout}`)
}
