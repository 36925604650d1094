import { execFile } from 'node:child_process'
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { environments } from '../../cdktf/environments.ts'

/** `npm run terrain:check`: the move is made on a copy, with the packages of CDK Terrain from npm, and both sides synthesise. */
const run = promisify(execFile)
const root = resolve(import.meta.dirname, '../..')
/** What the stack imports and nothing else: the whole tree would take minutes. */
const needed =
  /^(cdktn|@cdktn\/provider-aws|constructs|tsx|zod|ipaddr\.js|fastest-levenshtein|safe-stable-stringify)$/
const under22 = ['--yes', '-p', 'node@22', '--']

const folders = ['cdktf', 'schemas', 'scripts', 'package.json', 'package-lock.json', 'tsconfig.json']

let folder: string
let original: string
let copy: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'terrain-'))
  original = join(folder, 'original')
  copy = join(folder, 'copy')
  // Both sides from one moment: somebody may be working in this tree.
  for (const name of folders) await cp(join(root, name), join(original, name), { recursive: true })
  await symlink(join(root, 'node_modules'), join(original, 'node_modules'))
  await run(process.execPath, ['--import', 'tsx', 'scripts/terrain.ts', copy], { cwd: original })
  const file = join(copy, 'package.json')
  const { dependencies, devDependencies } = JSON.parse(await readFile(file, 'utf8'))
  const kept = Object.entries({ ...dependencies, ...devDependencies }).filter(([name]) => needed.test(name))
  await writeFile(
    file,
    JSON.stringify({ private: true, type: 'module', dependencies: Object.fromEntries(kept) }),
  )
  await rm(join(copy, 'package-lock.json'))
  await run('npx', [...under22, 'npm', 'install', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: copy,
  })
}, 600_000)
afterAll(() => rm(folder, { recursive: true, force: true }))

const existing = { EXISTING_VPC_ID: 'vpc-0123456789abcdef0', EXISTING_SUBNET_IDS: 'subnet-0123456789abcdef0' }

test.each(
  Object.keys(environments).flatMap((environment) =>
    ['public', 'endpoints', 'nat', 'existing'].map((network) => [environment, network] as const),
  ),
)(
  '%s with network %s: the same resources at the same addresses; only names and versions of packages differ',
  async (environment, network) => {
    const out = (name: string) => join(folder, `${name}-${environment}-${network}`)
    const env = (name: string) => ({
      ...process.env,
      ...(network === 'existing' ? existing : {}),
      ENVIRONMENT: environment,
      NETWORK: network,
      CDKTF_OUTDIR: out(name),
    })
    const synth = ['--import', 'tsx', 'cdktf/main.ts']
    await run(process.execPath, synth, { cwd: original, env: env('cdktf') })
    await run('npx', [...under22, 'node', ...synth], { cwd: copy, env: env('cdktn') })
    const read = async (name: string) =>
      JSON.parse(
        await readFile(join(out(name), `stacks/ecs-job-operator-${environment}/cdk.tf.json`), 'utf8'),
      )
    const [before, after] = [await read('cdktf'), await read('cdktn')]
    expect(after['//'].metadata.version).toBe('0.24.0')
    expect(after.terraform.required_providers.aws).toEqual({ source: 'hashicorp/aws', version: '6.66.0' })
    for (const side of [before, after]) {
      side['//'].metadata.version = 'either'
      side.terraform.required_providers.aws = 'either'
      // Where it lies on this machine.
      if (side.terraform.backend.local) side.terraform.backend.local.path = 'either'
    }
    expect(Object.keys(before.resource).length).toBeGreaterThan(20)
    expect(after).toEqual(before)
  },
)
