import { cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join, relative, resolve, sep } from 'node:path'
import { parseArgs } from 'node:util'
import { endWith, MustDo } from './command.ts'
import { moved, whatElse } from './terrain-plan.ts'

const help = `
  npm run terrain [-- FOLDER | --write]

  cdktf was archived by its makers. CDK Terrain (cdktn) goes on with it, and this moves the infrastructure there: without
  arguments it says which files change, with FOLDER it makes a changed copy of this repository there, with --write it
  changes this one.
`

const root = resolve(import.meta.dirname, '..')
/** Made, fetched or private: not part of the repository. */
const left = ['node_modules', '.git', '.local', 'cdktf.out', 'dist', 'coverage', '.terraform']

async function terrain(args: readonly string[]): Promise<number> {
  const { values, positionals } = parse(args)
  const [folder] = positionals
  if (values.help) {
    process.stdout.write(help)
    return 0
  }
  if (folder !== undefined && values.write) throw new MustDo('Either a folder or --write, not both.')
  const target = folder === undefined ? root : await copyTo(resolve(folder))
  const changed: string[] = []
  for (const path of await filesIn(target)) {
    const text = await readFile(join(target, path), 'utf8')
    const after = moved(path, text)
    if (after === text) continue
    changed.push(path)
    if (values.write || folder !== undefined) await writeFile(join(target, path), after)
  }
  const what = values.write || folder !== undefined ? 'changed' : 'would change'
  process.stdout.write(
    `${changed.map((path) => `  ${path}`).join('\n')}\n\n  ${changed.length} files ${what}.\n`,
  )
  process.stdout.write(whatElse)
  return 0
}

const parse = (args: readonly string[]) => {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        write: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    throw new MustDo(`${error instanceof Error ? error.message : String(error)}\n${help}`)
  }
}

async function copyTo(folder: string): Promise<string> {
  const inside = relative(root, folder)
  if (!inside.startsWith('..'))
    throw new MustDo(`${folder} is inside this repository. Choose a folder outside of it.`)
  const there = await readdir(folder).catch(() => [])
  if (there.length > 0) throw new MustDo(`${folder} is not empty.`)
  await cp(root, folder, { recursive: true, filter: (path) => !isLeft(relative(root, path)) })
  return folder
}

/** Secrets of the person who runs this stay where they are, too. */
const isLeft = (path: string): boolean =>
  path.split(sep).some((part) => left.includes(part)) || path === '.env' || /\.tfstate/.test(path)

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: false, withFileTypes: true })
  const files: string[] = []
  for (const entry of entries) {
    if (isLeft(entry.name)) continue
    if (entry.isFile()) files.push(entry.name)
    if (entry.isDirectory())
      for (const path of await filesIn(join(folder, entry.name))) files.push(`${entry.name}/${path}`)
  }
  return files.filter((path) => /\.(ts|json)$/.test(path))
}

await endWith(terrain(process.argv.slice(2)))
