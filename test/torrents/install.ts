import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Programs, and the Debian packages that bring them. */
const wanted = [
  { program: 'transmission-daemon', packages: ['transmission-daemon'] },
  { program: 'aria2c', packages: ['aria2'] },
]

const isThere = (program: string): Promise<boolean> =>
  run('sh', ['-c', 'command -v "$1"', 'sh', program]).then(
    () => true,
    () => false,
  )

const missing = async () => {
  const found = await Promise.all(wanted.map(({ program }) => isThere(program)))
  return wanted.filter((_, index) => found[index] !== true)
}

/** Installs both clients by apt, unless they are there. Without them nothing is skipped: the run fails. */
export default async function install(): Promise<void> {
  const packages = (await missing()).flatMap((one) => one.packages)
  if (packages.length === 0) return
  process.stdout.write(`Installing ${packages.join(' ')}\n`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  await run('apt-get', ['update', '-qq'], { env })
    .then(() => run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], { env }))
    .catch((error: unknown) => {
      const remedy = `On Debian and Ubuntu, as root: apt-get install ${packages.join(' ')}`
      throw new Error(`The packages could not be installed. ${remedy}`, { cause: error })
    })
  const still = (await missing()).map(({ program }) => program)
  if (still.length > 0) throw new Error(`The packages did not bring ${still.join(', ')}.`)
}
