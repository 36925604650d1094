import { readFile } from 'node:fs/promises'
import { parseEnv } from 'node:util'
import { describe, expect, test } from 'vitest'
import { configurationNames } from '../../schemas/configuration.ts'
import { readConfiguration } from '../../schemas/read-configuration.ts'
import { generatedFiles } from '../../scripts/docs-files.ts'

describe('what is made from the schemas', () => {
  test.each(generatedFiles())('$path is current (else: npm run docs)', async ({ path, text }) => {
    expect(await readFile(path, 'utf8')).toBe(text)
  })

  test('every schema says its draft, its name and its title', () => {
    for (const { text } of generatedFiles().filter(({ path }) => path.endsWith('.json'))) {
      expect(JSON.parse(text)).toMatchObject({
        $schema: 'https://json-schema.org/draft/2020-12/schema',
        $id: expect.stringMatching(/^urn:ecs-job-operator:[a-z-]+$/),
        title: expect.any(String),
        type: 'object',
      })
    }
  })

  test('the example with everything uncommented is accepted, and changes nothing', async () => {
    const example = await readFile('.env.example', 'utf8')
    const uncommented = parseEnv(example.replaceAll(/^#(?=[A-Z_]+=)/gm, ''))
    expect(new Set(Object.keys(uncommented))).toEqual(new Set(configurationNames))
    expect(readConfiguration({}, uncommented)).toEqual(readConfiguration({}, {}))
    expect(readConfiguration({}, uncommented).ok).toBe(true)
  })

  test.each(configurationNames)('docs/configuration.md has %s', async (name) => {
    expect(await readFile('docs/configuration.md', 'utf8')).toMatch(
      new RegExp(`^\\| \`${name}\` \\|.*\\. \\|$`, 'm'),
    )
  })
})
