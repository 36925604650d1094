import { terraform } from './cdktf-plan.ts'
import { ask, endWith, findProgram, MustDo, must } from './command.ts'
import { mustDeployAgain, readOutputs, splitOptions } from './deploy-plan.ts'
import { type Deployment, deployment, synthCommand } from './deployment.ts'
import { accountCommand } from './image-plan.ts'
import { firstBuilder, images, missingForImages } from './images.ts'

const help = `
  npm run deploy [-- OPTIONS]

  From nothing to running, and from running to up to date: deploys the infrastructure, builds and pushes what images are
  missing, and deploys once more if other images run now. It can be repeated at any time; what is done is not done again.
  ENVIRONMENT (default dev) and the variables of cdktf/config.ts choose what is meant.

    --auto-approve     do not ask before the first deployment changes something. The second only starts the images
                       and never asks.

  Everything else goes to npm run images: --platform, --node-image, --npmrc, --builder.
  The steps one by one: npm run cdktf:deploy, npm run images, npm run cdktf:deploy.
`

async function deploy(args: readonly string[]): Promise<number> {
  const options = splitOptions(args)
  if (options.help) {
    process.stdout.write(help)
    return 0
  }
  if (options.images.includes('--dry-run'))
    throw new MustDo(
      '--dry-run is for npm run images; what a deployment would change says npm run cdktf:diff',
    )
  const here = deployment()
  await checkMachine(here)

  say(`1 of 3: infrastructure of ${here.config.installation} in ${here.config.region}`)
  await apply(here, options.approve)
  say('2 of 3: images')
  const pushed = await images(options.images)
  if (pushed === undefined) return 0
  if (mustDeployAgain(await outputsOf(here), pushed)) {
    say('3 of 3: start them')
    await apply(here, true)
  } else say('3 of 3: they run already')
  const outputs = await outputsOf(here)
  if (outputs === undefined) throw new MustDo('The deployment has no outputs. Look at: npm run cdktf:diff')
  say(`Next: npm run smoke\n\n  The status page:\n  ${outputs.status_command}`)
  return 0
}

/** Everything at once: nobody should install one thing only to hear of the next. */
async function checkMachine({ config }: Deployment): Promise<void> {
  const builder = await firstBuilder()
  const missing = [
    ...(findProgram('terraform') === undefined
      ? [
          'Missing: terraform, 1.6 or newer, to make the infrastructure. See https://developer.hashicorp.com/terraform/install',
        ]
      : []),
    ...missingForImages(builder, builder !== undefined),
  ]
  if (missing.length > 0) throw new MustDo([...missing, 'Then once more: npm run deploy'].join('\n'))
  const account = await ask(accountCommand(config.region))
  if (account.code !== 0)
    throw new MustDo(
      `No credentials for AWS: ${account.complained.trim()}\nSign in (aws configure, aws sso login, or AWS_PROFILE=...), then once more: npm run deploy`,
    )
}

async function apply(here: Deployment, approve: boolean): Promise<void> {
  await must(synthCommand(here))
  await must(terraform(here.folder, 'init', '-input=false'))
  await must(terraform(here.folder, 'apply', '-input=false', ...(approve ? ['-auto-approve'] : [])))
}

const outputsOf = async (here: Deployment) =>
  readOutputs((await ask(terraform(here.folder, 'output', '-json'))).said)

const say = (line: string): void => {
  process.stdout.write(`\n  ${line}\n`)
}

await endWith(deploy(process.argv.slice(2)))
