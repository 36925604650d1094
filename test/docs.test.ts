import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { variables } from '../cdktf/config.ts'
import { parseMessage } from '../controller/intake/messages.ts'
import { resolveSettings } from '../controller/intake/resolve.ts'
import { testPolicy } from './support/policy.ts'
import { synthesized } from './support/synthesized.ts'

const root = resolve(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const docs = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'))
const pages = ['README.md', 'CONTRIBUTING.md', ...docs.map((name) => `docs/${name}`)]

/** As code hosts make the anchor of a heading. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')
const anchorsOf = (path: string): string[] =>
  [...read(path).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => anchorOf(heading))

describe.each(pages)('%s', (path) => {
  const text = read(path)

  test('leads only to what is there', () => {
    const links = [...text.matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)/g)]
    const broken = links.filter(([, to = '', anchor]) => {
      const target = to === '' ? path : join(dirname(path), to)
      if (!existsSync(join(root, target))) return true
      return anchor !== undefined && !anchorsOf(target).includes(anchor)
    })
    expect(broken.map(([link]) => link)).toEqual([])
  })

  test('names only commands of package.json', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> }
    const named = [...text.matchAll(/npm run (?:--silent )?([a-z][a-z0-9:-]*)/g)].map(([, name = '']) => name)
    expect([...new Set(named)].filter((name) => !(name in scripts))).toEqual([])
  })
})

test('docs/deploy.md has every variable that may be chosen', () => {
  const text = read('docs/deploy.md')
  const missing = ['ENVIRONMENT', ...Object.keys(variables)].filter((name) => !text.includes(`\`${name}\``))
  expect(missing).toEqual([])
})

test('docs/deploy.md opens the status page as the outputs of a deployment say', () => {
  const said = new Map(Object.entries(synthesized('dev').output).map(([name, { value }]) => [name, value]))
  expect(said.get('status_command')).toMatch(/^task=/)
  expect(read('docs/deploy.md')).toContain(said.get('status_command'))
})

describe('docs/security.md', () => {
  const text = read('docs/security.md').replaceAll(/\s+/g, ' ')
  const claims = [...text.matchAll(/`(test\/[\w./-]+\.ts)`((?:,? "[^"]+")+)/g)].flatMap(
    ([, file = '', titles = '']) =>
      [...titles.matchAll(/"([^"]+)"/g)].map(([, title = '']) => [title, file] as const),
  )

  test('names a test for what it claims', () => expect(claims.length).toBeGreaterThan(25))

  test.each(claims)('"%s" is in %s', (title, file) => expect(read(file)).toContain(title))

  test('names only files that are there', () => {
    const files = [...text.matchAll(/`((?:cdktf|controller|schemas|test|worker)\/[\w./-]+\.ts)`/g)]
    expect(files.map(([, file = '']) => file).filter((file) => !existsSync(join(root, file)))).toEqual([])
  })
})

describe('docs/migrate.md', () => {
  const examples = [...read('docs/migrate.md').matchAll(/^```json\n(.*?)^```$/gms)].map(
    ([, body = '']) => body,
  )

  test('has one of each form of message', () => expect(examples).toHaveLength(4))

  test.each(examples)('%# is a job that is accepted', (body) => {
    const parsed = parseMessage(body, 'message', { defaultKind: 'transcode' })
    expect(parsed).toMatchObject({ is: 'commands', commands: [{ do: 'submit' }] })
    expect(parsed).not.toHaveProperty('rubbish')
    for (const command of parsed.is === 'commands' ? parsed.commands : []) {
      const { jobId, kind, spec } = command.do === 'submit' ? command : { jobId: '', kind: '', spec: {} }
      expect(resolveSettings(jobId, kind, spec, testPolicy())).toMatchObject({ is: 'valid' })
    }
  })
})
