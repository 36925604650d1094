import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { resolveSettings } from '../controller/intake/resolve.ts'
import { kinds, userKinds } from '../schemas/kinds/index.ts'
import { testPolicy } from './support/policy.ts'

// One page for each kind, whose examples are records that the controller takes.

const folder = join(import.meta.dirname, '../docs/kinds')
const pages = readdirSync(folder)
  .filter((name) => name.endsWith('.md'))
  .map((name) => name.replace(/\.md$/, ''))

test('every kind has a page, and every page a kind', () => {
  expect(new Set(pages)).toEqual(new Set(userKinds))
})

describe.each(pages)('docs/kinds/%s.md', (page) => {
  const text = readFileSync(join(folder, `${page}.md`), 'utf8')
  const blocks = [...text.matchAll(/```json\n(.*?)```/gs)].map(
    ([, json = '']) => JSON.parse(json) as Record<string, unknown>,
  )
  const records = blocks.filter(({ kind }) => kind === page)

  test('has an example record', () => {
    expect(records.length).toBeGreaterThan(0)
  })

  test('its records are accepted', () => {
    for (const { jobId = 'example-1', kind, spec } of records)
      expect(resolveSettings(String(jobId), kind, spec, testPolicy())).toMatchObject({ is: 'valid' })
  })

  test('names every parameter', () => {
    const { shape } = kinds[page as keyof typeof kinds].params as unknown as {
      shape: Record<string, unknown>
    }
    for (const name of Object.keys(shape)) expect(text).toMatch(new RegExp(`\`${name}[.\`]`))
  })

  test('says how to try it', () => {
    expect(text).toContain('npm run demo')
  })
})
