import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ControllerError, errorCatalogue } from '../../controller/errors.ts'

const root = join(import.meta.dirname, '../..')

describe('the error catalogue', () => {
  // Run this file with `-u` to write the page anew.
  test('docs/errors.md lists every error with its words, and no other', async () => {
    await expect(errorsPage()).toMatchFileSnapshot(join(root, 'docs/errors.md'))
  })

  test('every error is thrown somewhere', async () => {
    const files = await readdir(join(root, 'controller'), { recursive: true })
    const sources = await Promise.all(
      files
        .filter((file) => file.endsWith('.ts') && file !== 'errors.ts')
        .map((file) => readFile(join(root, 'controller', file), 'utf8')),
    )
    const used = new Set(sources.flatMap((source) => source.match(/'[A-Z]+(_[A-Z]+)+'/g) ?? []))
    expect(Object.keys(errorCatalogue).filter((code) => !used.has(`'${code}'`))).toEqual([])
  })

  test('details are filled in, in both sentences', () => {
    const error = ControllerError.of('ATTEMPT_NOT_FOUND', { jobId: 'film', attempt: 3 })
    expect(error.message).toBe('Job film has no attempt 3 in its record.')
    expect(error.whatToDo).toContain('GET /jobs/film')
    expect(error.status).toBe(404)
  })

  test('a detail from outside is cut, and braces in it mean nothing', () => {
    const error = ControllerError.of('JOB_NOT_FOUND', { jobId: `{jobId}${'x'.repeat(300)}` })
    expect(error.message).toBe(`There is no job {jobId}${'x'.repeat(193)}.`)
  })
})

const errorsPage = (): string => {
  const entries = Object.entries<{ status?: number; message: string; whatToDo: string }>(errorCatalogue)
  const row = (...cells: string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  const plain = (text: string) => text.replaceAll('<', '\\<')
  return [
    '# Errors of the controller',
    '',
    'Made from `controller/errors.ts` (`npx vitest run test/controller/http-errors.test.ts -u`). `{name}` stands for a detail.',
    '',
    '## Answers of the API',
    '',
    'Every answer that is not what was asked for is `{ "code", "message", "problems"? }`.',
    '',
    '| code | status | what happened | what to do |',
    '| --- | --- | --- | --- |',
    ...entries.flatMap(([code, { status, message, whatToDo }]) =>
      status === undefined ? [] : [row(`\`${code}\``, String(status), plain(message), plain(whatToDo))],
    ),
    '',
    '## At the start and in the loop',
    '',
    '| code | what happened | what to do |',
    '| --- | --- | --- |',
    ...entries.flatMap(([code, { status, message, whatToDo }]) =>
      status === undefined ? [row(`\`${code}\``, plain(message), plain(whatToDo))] : [],
    ),
    '',
  ].join('\n')
}
