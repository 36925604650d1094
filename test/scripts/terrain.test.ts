import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { moved, terrainVersions } from '../../scripts/terrain-plan.ts'

describe('the move to CDK Terrain', () => {
  test.each([
    ["import { App } from 'cdktf'", "import { App } from 'cdktn'"],
    [
      "import { x } from 'cdktf/lib/testing/matchers.js'",
      "import { x } from 'cdktn/lib/testing/matchers.js'",
    ],
    ["await import('cdktf')", "await import('cdktn')"],
    [
      "from '@cdktf/provider-aws/lib/sqs-queue/index.js'",
      "from '@cdktn/provider-aws/lib/sqs-queue/index.js'",
    ],
    ["'node_modules/@cdktf/provider-aws/.jsii'", "'node_modules/@cdktn/provider-aws/.jsii'"],
    // The folder and its files keep their names.
    ["from '../cdktf/config.ts'", "from '../cdktf/config.ts'"],
    ["join(root, 'cdktf/main.ts')", "join(root, 'cdktf/main.ts')"],
    ["'cdktf.out'", "'cdktf.out'"],
    ['// cdktf was archived', '// cdktf was archived'],
  ])('makes %s %s', (before, after) => expect(moved('test/any.ts', before)).toBe(after))

  test('takes both packages and what they need at once, and keeps the others', () => {
    const before = JSON.parse(readFileSync('package.json', 'utf8'))
    const after = JSON.parse(moved('package.json', JSON.stringify(before)))
    expect(after.devDependencies).toMatchObject(terrainVersions)
    expect(JSON.stringify(after)).not.toMatch(/"(cdktf|@cdktf\/provider-aws)":/)
    expect(after.dependencies).toEqual(before.dependencies)
    expect(after.scripts).toEqual(before.scripts)
    expect(Object.keys(after.devDependencies)).toHaveLength(Object.keys(before.devDependencies).length)
  })

  test('fetches the other command line, and knows on which Node it runs', () => {
    const after = moved('scripts/cdktf-plan.ts', readFileSync('scripts/cdktf-plan.ts', 'utf8'))
    expect(after).toContain("export const cliPackage = 'cdktn-cli'")
    expect(after).toContain("export const cliVersion = '0.24.0'")
    expect(after).toContain('const cliNode = { oldest: 22, newest: 24 }')
  })

  test('says so when the tree has become another one than it knows', () =>
    expect(() => moved('scripts/cdktf-plan.ts', 'export const version = 1')).toThrow(/has no line like/))
})
