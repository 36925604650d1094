import { cp } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build } from 'esbuild'

/**
 * `node scripts/bundle.ts controller|worker FOLDER`: one process of ours with everything it imports, as plain JavaScript.
 * The images run this: it weighs a fiftieth of `node_modules` and starts without a compiler, since Node on its own reads
 * no TypeScript parameter of ours and tsx would have to come along.
 */
export const bundled = ['controller', 'worker'] as const
export type Bundled = (typeof bundled)[number]

const root = resolve(import.meta.dirname, '..')

/** Writes FOLDER/<name>/main.mjs and what it loads later. The same sources and packages give the same bytes. */
export async function bundle(name: Bundled, folder: string): Promise<void> {
  await build({
    absWorkingDir: root,
    entryPoints: [`${name}/main.ts`],
    outdir: folder,
    outbase: '.',
    outExtension: { '.js': '.mjs' },
    // All in one folder, so that what is found relative to a module is found from every chunk.
    chunkNames: `${name}/[name]-[hash]`,
    bundle: true,
    // What is imported late stays apart: the worker claims its job before it loads S3's client, in sources and here.
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    // Modules before CommonJS: a CommonJS package that is imported late would lose the names of what it exports.
    mainFields: ['module', 'main'],
    // Names in stack traces are worth more than the half of four megabytes.
    minify: false,
    keepNames: true,
    legalComments: 'inline',
    logLevel: 'warning',
    // Some packages are CommonJS and ask for `require`, which a module does not have.
    banner: {
      js: "import { createRequire as createRequireOfBundle } from 'node:module'; const require = createRequireOfBundle(import.meta.url);",
    },
  })
  // The status page is read from disk, at `../page/` as seen from the module that serves it.
  if (name === 'controller')
    await cp(join(root, 'controller/http/page'), join(folder, 'page'), { recursive: true })
}

const isBundled = (name: string | undefined): name is Bundled => bundled.some((one) => one === name)

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const [name, folder] = process.argv.slice(2)
  if (isBundled(name) && folder !== undefined) await bundle(name, resolve(folder))
  else {
    process.stderr.write(`Usage: node scripts/bundle.ts ${bundled.join('|')} FOLDER\n`)
    process.exitCode = 64
  }
}
