import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { generatedFiles } from './docs-files.ts'

/** `npm run docs` writes what is made from the schemas; with `--check` it only says what is stale, and exits 1. */
const root = resolve(import.meta.dirname, '..')
const isCheck = process.argv.includes('--check')

const current = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '')

for (const { path, text } of generatedFiles()) {
  const file = resolve(root, path)
  if ((await current(file)) === text) continue
  if (isCheck) {
    process.exitCode = 1
    process.stderr.write(`${path} is stale: run \`npm run docs\`\n`)
    continue
  }
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, text)
  process.stdout.write(`${path} written\n`)
}
