import { readdir, readFile, stat } from 'node:fs/promises'
import { join, relative, resolve, sep } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { imageParameters, resourceNames } from '../schemas/resources.ts'
import { ask, type Command, endWith, findProgram, MustDo, must, printed } from './command.ts'
import { deployment } from './deployment.ts'
import * as plan from './image-plan.ts'

const help = `
  npm run images [-- OPTIONS]

  Builds the images of controller and worker, pushes what the repositories do not have yet, and writes down in the
  account which images run (two SSM parameters). The next deployment starts them. ENVIRONMENT and the other settings
  of cdktf/config.ts choose the installation.

    --platform LIST    linux/arm64, linux/amd64 or both with a comma; default: what the environment runs on
    --node-image REF   another base than the one that the Dockerfiles name
    --npmrc FILE       settings for npm behind a registry of your own; the file is in no layer
    --builder NAME     ${plan.builders.join(', ')}; default: the first that is there
    --dry-run          print the commands and run none
`

/** What runs from now on, by full name; undefined where only help or commands were asked for. */
export type Pushed = Readonly<Record<plan.ImageName, string>> | undefined

/** Exported for `npm run deploy`, which does this between two deployments. @throws MustDo */
export async function images(args: readonly string[]): Promise<Pushed> {
  const options = readOptions(args)
  if (options === undefined) {
    process.stdout.write(help)
    return undefined
  }
  const { config, root } = deployment()
  const builder = options.dryRun
    ? (options.builder ?? (await firstBuilder()) ?? 'docker')
    : await checkTools(options.builder)
  const platforms = options.platforms ?? [plan.platformOf(config.architecture)]
  const registry: plan.Registry = options.dryRun
    ? { accountId: config.accountId ?? '<account>', region: config.region }
    : await findRegistry(config.region, config.accountId)

  const names = resourceNames(`${config.installation}-`)
  const repositories = { controller: names.controllerRepository, worker: names.workerRepository }
  const wanted = await Promise.all(
    plan.imageNames.map(async (name) => {
      const tag = await tagOf(root, name, platforms, options.nodeImage)
      const repository = repositories[name]
      return { name, tag, repository, reference: `${plan.registryHost(registry)}/${repository}:${tag}` }
    }),
  )
  const buildsOf = ({ name, reference }: { name: plan.ImageName; reference: string }): Command[] =>
    plan.buildCommands(builder, { ...options, name, reference, platforms })
  const parameters = imageParameters(config.installation)
  const login = plan.loginCommand(builder, registry)

  if (options.dryRun) {
    const commands = [
      login,
      ...wanted.flatMap((image) => [
        plan.findImageCommand(image.repository, image.tag, registry),
        ...buildsOf(image),
      ]),
      ...wanted.map(({ name, reference }) =>
        plan.writeParameterCommand(parameters[name], reference, registry),
      ),
    ]
    process.stdout.write(`${commands.map(printed).join('\n')}\n`)
    return undefined
  }

  // Asked before anything is built: a build of minutes must not end with "there is no repository".
  const missing = await filter(wanted, async (image) => !(await isThere(image, registry)))
  for (const { name } of wanted) await readParameter(parameters[name], registry)
  if (missing.length > 0) await must(login)
  for (const image of missing) {
    say(`building ${image.name} ${image.tag} for ${platforms.join(' and ')} with ${builder}`)
    for (const command of buildsOf(image)) await must(command)
  }
  // Both or none: only when both are there does the account hear of them.
  for (const { name, reference, tag } of wanted) {
    const changed = (await readParameter(parameters[name], registry)) !== reference
    if (changed) await demand(plan.writeParameterCommand(parameters[name], reference, registry))
    const pushed = missing.some((image) => image.name === name)
    say(
      `${name} ${tag}: ${pushed ? 'pushed' : 'was there'}${changed ? ', runs with the next deployment' : ''}`,
    )
  }
  const [controller, worker] = plan.imageNames.map((name) => wanted.find((image) => image.name === name))
  if (controller === undefined || worker === undefined) throw new Error('an image has no reference')
  return { controller: controller.reference, worker: worker.reference }
}

type Options = {
  builder?: plan.Builder | undefined
  platforms?: string[] | undefined
  nodeImage?: string | undefined
  npmrc?: string | undefined
  dryRun: boolean
}

/** @returns undefined when help was asked for @throws MustDo */
function readOptions(args: readonly string[]): Options | undefined {
  const { values } = parse(args)
  if (values.help) return undefined
  const platforms = values.platform?.split(',').map((one) => one.trim())
  for (const platform of platforms ?? [])
    if (!/^linux\/(amd64|arm64)$/.test(platform))
      throw new MustDo(`--platform: "${platform}" is not allowed: must be linux/amd64 or linux/arm64`)
  const builder = plan.builders.find((one) => one === values.builder)
  if (values.builder !== undefined && builder === undefined)
    throw new MustDo(
      `--builder: "${values.builder}" is not allowed: must be one of: ${plan.builders.join(', ')}`,
    )
  return {
    builder,
    platforms,
    nodeImage: values['node-image'],
    npmrc: values.npmrc === undefined ? undefined : resolve(values.npmrc),
    dryRun: values['dry-run'],
  }
}

const parse = (args: readonly string[]) => {
  try {
    return parseArgs({
      args: [...args],
      options: {
        platform: { type: 'string' },
        'node-image': { type: 'string' },
        npmrc: { type: 'string' },
        builder: { type: 'string' },
        'dry-run': { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (error) {
    throw new MustDo(`${error instanceof Error ? error.message : String(error)}\n${help}`)
  }
}

export const firstBuilder = async (): Promise<plan.Builder | undefined> =>
  (await filter(plan.builders, works))[0]

const works = async (builder: plan.Builder): Promise<boolean> =>
  (await ask(plan.probeCommand(builder))).code === 0

/** @throws MustDo with everything that is missing, not only the first */
async function checkTools(wanted: plan.Builder | undefined): Promise<plan.Builder> {
  const builder = wanted ?? (await firstBuilder())
  const missing = missingForImages(builder, builder !== undefined && (await works(builder)))
  if (builder === undefined || missing.length > 0) throw new MustDo(missing.join('\n'))
  return builder
}

/** What `npm run images` needs and does not find here, each with how to get it. */
export const missingForImages = (builder: plan.Builder | undefined, builderWorks: boolean): string[] => [
  ...(builderWorks
    ? []
    : [
        `Missing: ${builder === 'docker' ? 'docker with buildx' : (builder ?? 'docker with buildx, podman or buildah')}, to build images. See https://docs.docker.com/engine/install, or: apt-get install buildah`,
      ]),
  ...(findProgram('aws') === undefined
    ? [
        'Missing: aws (the AWS CLI), to log in to the image repositories and to write down which images run. See https://docs.aws.amazon.com/cli',
      ]
    : []),
]

async function findRegistry(region: string, expected: string | undefined): Promise<plan.Registry> {
  const accountId = (await demand(plan.accountCommand(region))).trim()
  if (accountId !== (expected ?? accountId))
    throw new MustDo(
      `The credentials belong to account ${accountId}; this environment is for ${expected} (AWS_ACCOUNT_ID). Use the other profile: AWS_PROFILE=...`,
    )
  return { accountId, region }
}

async function tagOf(
  root: string,
  name: plan.ImageName,
  platforms: readonly string[],
  nodeImage: string | undefined,
): Promise<string> {
  const dockerfile = await readFile(join(root, plan.dockerfileOf(name)), 'utf8')
  const files = await Promise.all(plan.copiedPaths(dockerfile).map((path) => filesIn(root, join(root, path))))
  return plan.contentTag(files.flat(), { dockerfile, platforms, nodeImage })
}

async function filesIn(root: string, path: string): Promise<plan.SourceFile[]> {
  if ((await stat(path)).isFile())
    return [{ path: relative(root, path).split(sep).join('/'), content: await readFile(path) }]
  const names = await readdir(path)
  return (await Promise.all(names.map((name) => filesIn(root, join(path, name))))).flat()
}

async function isThere(
  { repository, tag }: { repository: string; tag: string },
  registry: plan.Registry,
): Promise<boolean> {
  const command = plan.findImageCommand(repository, tag, registry)
  const { code, complained } = await ask(command)
  const answer = plan.imageIsThere(code, complained)
  switch (answer) {
    case 'there':
      return true
    case 'missing':
      return false
    case 'no repository':
      throw new MustDo(
        `There is no repository ${repository} in account ${registry.accountId} yet. Deploy first: npm run deploy does all of it, or npm run cdktf:deploy`,
      )
    case 'failed':
      throw new MustDo(`${complained.trim()}\nThat was:\n  ${printed(command)}`)
    default:
      return answer satisfies never
  }
}

/** Terraform makes the parameters. One that we made would stand in its way. */
async function readParameter(name: string, registry: plan.Registry): Promise<string> {
  const { code, said, complained } = await ask(plan.readParameterCommand(name, registry))
  if (code === 0) return said.trim()
  if (complained.includes('ParameterNotFound'))
    throw new MustDo(`There is no SSM parameter ${name} yet. Deploy first: npm run deploy`)
  throw new MustDo(complained.trim())
}

/** What a command says. @throws MustDo with its own words if it fails */
async function demand(command: Command): Promise<string> {
  const { code, said, complained } = await ask(command)
  if (code !== 0) throw new MustDo(`${complained.trim()}\nThat was:\n  ${printed(command)}`)
  return said
}

/** One after the other, so that the first thing that is wrong is said first. */
async function filter<T>(items: readonly T[], fits: (item: T) => Promise<boolean>): Promise<T[]> {
  const fitting: T[] = []
  for (const item of items) if (await fits(item)) fitting.push(item)
  return fitting
}

const say = (line: string): void => {
  process.stdout.write(`  ${line}\n`)
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href)
  await endWith(images(process.argv.slice(2)).then(() => 0))
