import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A program, and the Debian packages that bring it. */
export type Wanted = { program: string; packages: readonly string[] }

/** Installs Debian packages by apt. @throws with the command that a person can type */
export async function installPackages(packages: readonly string[]): Promise<void> {
  process.stdout.write(`Installing ${packages.join(' ')}\n`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  await run('apt-get', ['update', '-qq'], { env })
    .then(() => run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], { env }))
    .catch((error: unknown) => {
      const remedy = `On Debian and Ubuntu, as root: apt-get install ${packages.join(' ')}`
      throw new Error(`The packages could not be installed. ${remedy}`, { cause: error })
    })
}

/** Sees to it that programs are there. Without them nothing is skipped: the run fails. */
export async function installPrograms(wanted: readonly Wanted[]): Promise<void> {
  const packages = (await missing(wanted)).flatMap((one) => one.packages)
  if (packages.length === 0) return
  await installPackages(packages)
  const still = (await missing(wanted)).map(({ program }) => program)
  if (still.length > 0) throw new Error(`The packages did not bring ${still.join(', ')}.`)
}

async function missing(wanted: readonly Wanted[]): Promise<Wanted[]> {
  const found = await Promise.all(wanted.map(({ program }) => isThere(program)))
  return wanted.filter((_, index) => found[index] !== true)
}

const isThere = (program: string): Promise<boolean> =>
  run('sh', ['-c', 'command -v "$1"', 'sh', program]).then(
    () => true,
    () => false,
  )
