import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { alarmsOf } from '../../cdktf/constructs/alarms.ts'
import { resourceNames } from '../../schemas/resources.ts'
import { byText } from './choices.ts'

const page = readFileSync(resolve(import.meta.dirname, '../../docs/runbook.md'), 'utf8')
const [, chapter = ''] = page.split(/^## Alarms$/m)
const [alarmEntries = ''] = chapter.split(/^## /m)

/** Of every alarm that the page speaks of, what it says. */
const entries = new Map(
  alarmEntries
    .split(/^### /m)
    .slice(1)
    .map((entry) => [entry.split('\n', 1)[0] ?? '', entry]),
)
const alarms = alarmsOf({ installation: 'dev', oldestPendingMinutes: 60 }, resourceNames('dev-'))

describe('docs/runbook.md', () => {
  test('has an entry for every alarm, and every entry has an alarm', () =>
    expect([...entries.keys()].sort(byText)).toEqual(alarms.map(({ id }) => id).sort(byText)))

  test.each(alarms.map(({ id }) => id))('%s: what it means, where to look first, what to do', (id) => {
    const entry = entries.get(id) ?? ''
    const places = ['**Means:**', '**Look first:**', '**Do:**'].map((part) => entry.indexOf(part))
    expect(places).not.toContain(-1)
    expect(places).toEqual([...places].sort((a, b) => a - b))
  })
})
