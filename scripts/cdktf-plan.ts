import type { Command } from './command.ts'

/** The command line of cdktf, as values. It is heavy and archived, so it is no dependency: npx fetches exactly this one. */
export const cliPackage = 'cdktf-cli'
export const cliVersion = '0.21.0'

export const cliActions = ['deploy', 'diff', 'destroy'] as const
export type CliAction = (typeof cliActions)[number]

/** The versions of Node that it runs on: for newer ones its terminal module was never built. */
const cliNode = { oldest: 20, newest: 22 }

/** Asks nobody for newer versions: there are none. */
export const quietly = { CHECKPOINT_DISABLE: '1' } as const

export const cliCommand = (action: CliAction, args: readonly string[]): Command => ({
  program: 'npx',
  args: ['--yes', `${cliPackage}@${cliVersion}`, action, ...args],
  environment: quietly,
})

/** Undefined if the CLI runs under this Node, else what to do instead. */
export function whyNotUnder(nodeVersion: string, action: CliAction, folder: string): string | undefined {
  const major = Number(nodeVersion.split('.')[0])
  if (major >= cliNode.oldest && major <= cliNode.newest) return undefined
  return [
    `${cliPackage} ${cliVersion} does not run on Node ${nodeVersion}; it needs ${cliNode.oldest} to ${cliNode.newest}. Either of these does the same:`,
    `- npx --yes -p node@${cliNode.newest} -- node node_modules/tsx/dist/cli.mjs scripts/cdktf.ts ${action}`,
    `- ${terraformLine(action, folder)}`,
  ].join('\n')
}

const terraformVerbs: Readonly<Record<CliAction, string>> = {
  deploy: 'apply',
  diff: 'plan',
  destroy: 'destroy',
}

/** The same without the CLI. */
export const terraformLine = (action: CliAction, folder: string): string =>
  `npm run synth && terraform -chdir=${folder} init && terraform -chdir=${folder} ${terraformVerbs[action]}`

export const terraform = (folder: string, ...args: string[]): Command => ({
  program: 'terraform',
  args: [`-chdir=${folder}`, ...args],
  environment: quietly,
})
