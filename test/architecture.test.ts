import { readdir, readFile } from 'node:fs/promises'
import { posix } from 'node:path'
import { describe, expect, test } from 'vitest'

/**
 * The import rules of the project. biome.json has them too, for the editor; here they are in full, and a broken one is
 * named by file and import.
 */
const rooms = ['schemas', 'controller', 'worker', 'cdktf', 'local'] as const
const users = ['test', 'bench', 'scripts']

/** Decisions: what they need comes as arguments, and what comes out is data. */
const pureFiles = [
  'controller/reconcile/decide.ts',
  'controller/reconcile/settle.ts',
  'controller/reconcile/pipeline.ts',
  'controller/reconcile/outcome.ts',
  'controller/reconcile/seen.ts',
  'controller/reconcile/launch.ts',
  'controller/admit/admit.ts',
  'controller/intake/messages.ts',
  'controller/intake/uploads.ts',
  'controller/policy.ts',
]

/** Where the controller speaks to AWS; everywhere else it has a port that a simulation can stand behind. */
const awsPlaces = [
  'controller/main.ts',
  'controller/clients.ts',
  'controller/intake/',
  'controller/run/',
  'controller/store/',
  'controller/http/uploads.ts',
  'controller/http/outputs.ts',
  'controller/http/logs.ts',
]

/** Where the packages of cdktf may be imported. The test of the move away from them has such imports as texts. */
const cdktfPlaces = [
  'cdktf/',
  'test/cdktf/',
  'test/policy/',
  'test/scripts/terrain.test.ts',
  'test/support/synthesized.ts',
]

const isAws = (imported: string) => /^@(aws-sdk|smithy)\//.test(imported)
const isIn = (path: string, places: readonly string[]) =>
  places.some((place) => (place.endsWith('/') ? path.startsWith(place) : path === place))
const roomOf = (path: string) => [...rooms, ...users].find((room) => path.startsWith(`${room}/`))

type Rule = { says: string; breaks(file: string, imported: string): boolean }

const rules: readonly Rule[] = [
  {
    says: 'a room imports itself and schemas only',
    breaks: (file, imported) => {
      const [from, to] = [roomOf(file), roomOf(imported)]
      return rooms.some((room) => room === from) && to !== undefined && to !== from && to !== 'schemas'
    },
  },
  {
    says: 'a decision imports schemas and other decisions only',
    breaks: (file, imported) =>
      isIn(file, pureFiles) &&
      !isIn(imported, pureFiles) &&
      roomOf(imported) !== 'schemas' &&
      imported !== 'zod',
  },
  {
    says: 'in the controller the AWS SDK is for intake, run, store and main',
    breaks: (file, imported) => file.startsWith('controller/') && isAws(imported) && !isIn(file, awsPlaces),
  },
  {
    says: 'schemas speak to nobody',
    breaks: (file, imported) => file.startsWith('schemas/') && isAws(imported),
  },
  {
    says: 'emulators are for the local AWS',
    breaks: (file, imported) => /^(fauxqs|dynalite)(\/|$)/.test(imported) && roomOf(file) !== 'local',
  },
  {
    says: 'the packages of cdktf are for cdktf and its tests',
    breaks: (file, imported) =>
      /^((cdktf|constructs)(\/lib\/.*)?$|@cdktf\/)/.test(imported) && !isIn(file, cdktfPlaces),
  },
  {
    // The whole of it costs the compiler half a minute and a gigabyte.
    says: 'of the AWS bindings one resource at a time is imported',
    breaks: (_file, imported) => /^@cdktf\/provider-aws(\/lib)?(\/index(\.js)?)?\/?$/.test(imported),
  },
]

/** What a file imports: paths from the repository's root for our own files, else the specifier. */
const importsOf = (file: string, source: string): string[] =>
  [
    ...source.matchAll(/^\s*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]/gm),
    ...source.matchAll(/^\s*import\s*['"]([^'"]+)['"]/gm),
    ...source.matchAll(/\bimport\(\s*['"]([^'"]+)['"]\s*\)/g),
  ].map(([, specifier = '']) =>
    specifier.startsWith('.') ? posix.join(posix.dirname(file), specifier) : specifier,
  )

const brokenRules = (file: string, source: string): string[] =>
  importsOf(file, source).flatMap((imported) =>
    rules
      .filter((rule) => rule.breaks(file, imported))
      .map(({ says }) => `${file} imports ${imported}: ${says}`),
  )

const sourcesIn = async (room: string): Promise<{ file: string; source: string }[]> => {
  const files = await readdir(room, { recursive: true }).catch(() => [])
  return Promise.all(
    files
      .filter((name) => name.endsWith('.ts'))
      .map((name) => posix.join(room, name))
      .map(async (file) => ({ file, source: await readFile(file, 'utf8') })),
  )
}

const allSources = async () => (await Promise.all([...rooms, ...users].map(sourcesIn))).flat()

describe('imports', () => {
  test('no file breaks a rule', async () => {
    const sources = await allSources()
    expect(sources.length).toBeGreaterThan(50)
    expect(sources.flatMap(({ file, source }) => brokenRules(file, source))).toEqual([])
  })

  test.each([
    ['schemas/job.ts', `import { decide } from '../controller/reconcile/decide.ts'`, 'itself and schemas'],
    ['worker/task.ts', `import {\n  JobStore,\n} from '../controller/store/jobs.ts'`, 'itself and schemas'],
    ['controller/main.ts', `const local = await import('../local/main.ts')`, 'itself and schemas'],
    ['local/main.ts', `export { startTestAws } from '../test/support/local-aws.ts'`, 'itself and schemas'],
    [
      'controller/reconcile/decide.ts',
      `import type { Jobs } from '../store/jobs.ts'`,
      'other decisions only',
    ],
    ['controller/admit/admit.ts', `import { randomUUID } from 'node:crypto'`, 'other decisions only'],
    ['controller/sweep.ts', `import { ECSClient } from '@aws-sdk/client-ecs'`, 'AWS SDK'],
    ['controller/store/jobs.ts', `import 'dynalite'`, 'emulators'],
    ['scripts/deploy.ts', `import { App } from 'cdktf'`, 'for cdktf and its tests'],
    ['worker/main.ts', `import { Construct } from 'constructs'`, 'for cdktf and its tests'],
    ['cdktf/stack.ts', `import { sqsQueue } from '@cdktf/provider-aws'`, 'one resource at a time'],
    ['cdktf/stack.ts', `import * as aws from '@cdktf/provider-aws/lib/index.js'`, 'one resource at a time'],
  ])('%s may not: %s', (file, source, rule) => {
    expect(brokenRules(file, source)).toEqual([expect.stringContaining(rule)])
  })

  test.each([
    [
      'controller/reconcile/decide.ts',
      `import { settle } from './settle.ts'\nimport { job } from '../../schemas/job.ts'`,
    ],
    ['controller/run/ecs.ts', `import { ECSClient } from '@aws-sdk/client-ecs'`],
    ['test/local/gateway.test.ts', `import { startLocalAws } from '../../local/aws.ts'`],
    ['local/sqs.ts', `import { buildApp } from 'fauxqs'`],
    ['cdktf/stack.ts', `import { SqsQueue } from '@cdktf/provider-aws/lib/sqs-queue/index.js'`],
    ['test/cdktf/queues.test.ts', `import { Testing } from 'cdktf'`],
  ])('%s may: %s', (file, source) => {
    expect(brokenRules(file, source)).toEqual([])
  })
})

describe('decisions', () => {
  const impurities = [
    /\bDate\.now\b/,
    /\bnew Date\(\)/,
    /\bMath\.random\b/,
    /\bprocess\./,
    /\bperformance\b/,
    /\bawait\b/,
  ]
  const impuritiesIn = (source: string) => impurities.filter((pattern) => pattern.test(source)).map(String)

  test('read no clock, no environment and no dice, and wait for nothing', async () => {
    const sources = (await sourcesIn('controller')).filter(({ file }) => isIn(file, pureFiles))
    expect(
      sources.flatMap(({ file, source }) => impuritiesIn(source).map((what) => `${file}: ${what}`)),
    ).toEqual([])
  })

  test.each(['Date.now()', 'new Date()', 'Math.random()', 'process.env.HOME'])('%s would be seen', (code) => {
    expect(impuritiesIn(`const x = ${code}`)).toHaveLength(1)
  })
})
