import { relative } from 'node:path'
import * as plan from './cdktf-plan.ts'
import { endWith, MustDo, show } from './command.ts'
import { deployment, synthCommand } from './deployment.ts'

const help = `
  npm run synth                       write what Terraform reads to cdktf.out; needs neither CLI nor account
  npm run cdktf:deploy [-- OPTIONS]   the same as cdktf deploy
  npm run cdktf:diff                  what a deployment would change
  npm run cdktf:destroy               take it all away again

  ENVIRONMENT (default dev) and the variables of cdktf/config.ts choose what is meant. The last three fetch
  ${plan.cliPackage}@${plan.cliVersion} when they are first used. It calls Terraform, and Terraform alone does the same:

    npm run synth
    terraform -chdir=cdktf.out/stacks/ecs-job-operator-dev init
    terraform -chdir=cdktf.out/stacks/ecs-job-operator-dev apply
`

async function cdktf([action, ...args]: readonly string[]): Promise<number> {
  const known = plan.cliActions.find((one) => one === action)
  if (known === undefined && action !== 'synth') {
    process.stdout.write(help)
    return action === undefined || action === '--help' || action === '-h' ? 0 : 64
  }
  const here = deployment()
  const folder = relative(here.root, here.folder)
  if (known === undefined) {
    const code = await show(synthCommand(here))
    if (code === 0)
      process.stdout.write(
        `  ${here.config.environment} as ${here.config.installation} in ${here.config.region}: ${folder}/cdk.tf.json\n`,
      )
    return code
  }
  const refusal = plan.whyNotUnder(process.versions.node, known, folder)
  if (refusal !== undefined) throw new MustDo(refusal)
  return show(plan.cliCommand(known, args))
}

await endWith(cdktf(process.argv.slice(2)))
