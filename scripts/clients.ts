import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'

/** `npm run test:clients`: clients that others wrote against the local AWS. Fails when one cannot be installed; never skips. */
const root = resolve(import.meta.dirname, '..')
const vitest = resolve(root, 'node_modules/vitest/vitest.mjs')
const run = spawn(
  process.execPath,
  [vitest, 'run', '--config', 'test/clients/vitest.config.ts', ...process.argv.slice(2)],
  { cwd: root, stdio: 'inherit' },
)
const [code] = await once(run, 'exit')
process.exitCode = typeof code === 'number' ? code : 1
