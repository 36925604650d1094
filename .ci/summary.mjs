// What failed, in words, at the end where it is found; then the runner's closing line: all test runs together.
import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'

const [folder, failedParts] = process.argv.slice(2)
const files = readdirSync(folder).flatMap((name) =>
  JSON.parse(readFileSync(join(folder, name), 'utf8')).testResults.map((file) => ({
    ...file,
    run: name.replace('.json', ''),
  })),
)

const failures = files.flatMap(({ run, name, status, message, assertionResults }) => {
  const where = `${run}: ${relative(process.cwd(), name)}`
  const failed = assertionResults.filter((test) => test.status === 'failed')
  // A file whose hooks fail has no failed test: its own message says what happened.
  if (failed.length === 0) return status === 'failed' ? [`${where}\n${message}`] : []
  return failed.map((test) => `${where}: ${test.fullName}\n${test.failureMessages.join('\n')}`)
})
const passed = files
  .flatMap(({ assertionResults }) => assertionResults)
  .filter(({ status }) => status === 'passed')

for (const failure of failures)
  process.stdout.write(`\nFAILED ${failure.split('\n').slice(0, 12).join('\n  ')}\n`)
// A part that failed without a test counts as one.
process.stdout.write(`\n${passed.length} passed, ${failures.length || Number(failedParts)} failed\n`)
