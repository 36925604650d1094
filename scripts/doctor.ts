import type { Check } from './doctor-checks.ts'

/** `npm run doctor`: what this machine has and lacks, and how to get it. Exits 0 only if nothing is missing. */
const oldest = { major: 20, minor: 19 }

const checkNode = (version: string): Check => {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const isNew = major > oldest.major || (major === oldest.major && minor >= oldest.minor)
  return isNew
    ? { what: 'Node', found: version, ok: true }
    : {
        what: 'Node',
        found: version,
        ok: false,
        remedy: `install ${oldest.major}.${oldest.minor} or newer: https://nodejs.org, or \`nvm install ${oldest.major}\``,
      }
}

const table = (checks: readonly Check[]): string => {
  const width = Math.max(...checks.map(({ what }) => what.length))
  return checks
    .map((check) => {
      const line = `  ${check.ok ? 'ok     ' : 'MISSING'}  ${check.what.padEnd(width)}  ${check.found}`
      const remedies = check.ok ? [] : check.remedy.split('\n')
      return [line, ...remedies.map((remedy) => `${' '.repeat(width + 13)}-> ${remedy}`)].join('\n')
    })
    .join('\n')
}

const node = checkNode(process.versions.node)
// Loaded only now: on a Node that is too old it cannot even be loaded, and that would be all one is told.
const rest = node.ok
  ? await (await import('./doctor-checks.ts')).checkMachine(process.cwd(), process.env)
  : []
const checks = [node, ...rest]
const missing = checks.filter(({ ok }) => !ok).length
const verdict = missing === 0 ? 'All is well.' : `${missing} of ${checks.length} need a look.`
process.stdout.write(`\n${table(checks)}\n\n  ${verdict}\n\n`)
process.exitCode = missing === 0 ? 0 : 1
