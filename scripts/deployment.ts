import { join, resolve } from 'node:path'
import { type Config, readConfig, stackName } from '../cdktf/config.ts'
import { quietly } from './cdktf-plan.ts'
import { type Command, MustDo } from './command.ts'

export type Deployment = {
  config: Config
  /** The repository. */
  root: string
  stack: string
  /** Where `npm run synth` writes what Terraform reads. */
  folder: string
}

/** Which installation is meant, from ENVIRONMENT and the other variables of cdktf/config.ts. @throws MustDo */
export function deployment(environment: NodeJS.ProcessEnv = process.env): Deployment {
  const read = readConfig(environment)
  if (!read.ok) throw new MustDo(read.problems.join('\n'))
  const root = resolve(import.meta.dirname, '..')
  const stack = stackName(read.config.installation)
  return {
    config: read.config,
    root,
    stack,
    folder: resolve(root, environment.CDKTF_OUTDIR ?? 'cdktf.out', 'stacks', stack),
  }
}

/** Writes cdktf.out for the chosen environment. Needs no CLI, no Terraform, no account. */
export const synthCommand = ({ root }: Deployment): Command => ({
  program: process.execPath,
  args: ['--import', 'tsx', join(root, 'cdktf/main.ts')],
  environment: quietly,
})
