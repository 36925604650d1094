/**
 * The move to CDK Terrain, which goes on where cdktf was archived, as pure text changes: the packages have other names, and
 * what the code says stays the same. Names of folders and of files do not change.
 */
export const terrainVersions = {
  cdktn: '0.24.0',
  '@cdktn/provider-aws': '25.7.0',
  constructs: '10.7.2',
} as const

/** Synthesis needs this, and so does everything that imports the stack. */
export const oldestNode = '22.19'

const packageNames: Readonly<Record<string, string>> = {
  cdktf: 'cdktn',
  '@cdktf/provider-aws': '@cdktn/provider-aws',
}

/** Where a package is named by what is in quotes: imports of `cdktf`, and every mention of the bindings. */
const specifiers = [
  /(?<=\b(?:from|import|import\(|resolve\()\s*['"])cdktf(?=['"/])/g,
  /(?<=['"`/])@cdktf\/provider-aws(?=['"`/])/g,
]

/** The text of a file after the move; the same text if it is not concerned. */
export function moved(path: string, text: string): string {
  if (path === 'package.json') return movePackage(text)
  if (path === 'scripts/cdktf-plan.ts') return moveCli(text)
  if (!/\.(ts|json)$/.test(path) || path === 'package-lock.json' || path.startsWith('scripts/terrain'))
    return text
  return specifiers.reduce(
    (moving, specifier) => moving.replace(specifier, (name) => packageNames[name] ?? name),
    text,
  )
}

type Dependencies = Record<string, string>
type Package = {
  engines: { node: string }
  dependencies?: Dependencies
  devDependencies: Dependencies
}

function movePackage(text: string): string {
  const manifest = JSON.parse(text) as Package
  const kept = Object.entries(manifest.devDependencies).filter(
    ([name]) => !(name in packageNames) && !(name in terrainVersions),
  )
  const devDependencies = Object.fromEntries(
    [...kept, ...Object.entries(terrainVersions)].sort(([a], [b]) => (a < b ? -1 : 1)),
  )
  const engines = { ...manifest.engines, node: `>=${oldestNode}` }
  return `${JSON.stringify({ ...manifest, engines, devDependencies }, null, 2)}\n`
}

const cliLines = [
  [/^export const cliPackage = .*$/m, "export const cliPackage = 'cdktn-cli'"],
  [/^export const cliVersion = .*$/m, `export const cliVersion = '${terrainVersions.cdktn}'`],
  [/^const cliNode = .*$/m, 'const cliNode = { oldest: 22, newest: 24 }'],
] as const

/** @throws when a line is not there any more: a move that forgets something must not look like one that worked */
function moveCli(text: string): string {
  return cliLines.reduce((moving, [line, becomes]) => {
    if (!line.test(moving)) throw new Error(`scripts/cdktf-plan.ts has no line like ${line.source}`)
    return moving.replace(line, becomes)
  }, text)
}

/** What no text change does. */
export const whatElse = `
  What else changes:
  - Node ${oldestNode} or newer, here and in CI: cdktn needs 22.11 to synthesise, its CLI 22.19.
  - npm install, and commit package-lock.json. Both packages together: half a move fails at synthesis.
  - The AWS provider goes from 6.25 to 6.66. Its states are upgraded when first applied and cannot go back: copy the state file first.
  - Addresses of resources stay: npm run synth, then terraform plan must show no resource made anew.
`
