import { parseArgs } from 'node:util'
import type { z } from 'zod'
import { architectures, isFargateSize } from '../schemas/fargate.ts'
import { fargatePricesSchema } from '../schemas/prices.ts'
import { problemsOf, sentenceOf } from '../schemas/problems.ts'
import { endWith, MustDo } from './command.ts'
import { type JobShape, servicePricesAsOf, servicePricesSchema, usualInstallation } from './cost-plan.ts'
import { exampleJobs, idleTable, jobsTable } from './cost-tables.ts'

const help = `
  npm run cost [-- OPTIONS]

  What an installation costs idle, for each network profile, and what jobs cost. docs/cost.md says what is counted and
  what is not. Prices are those of us-east-1, ${servicePricesAsOf}; give yours.

    --prices JSON        of services, by name: '{"natHour": 0.052}'. FARGATE_PRICES does the same for Fargate and Transcribe
    --architecture NAME  ${architectures.join(' or ')}; default: ${usualInstallation.architecture}
    --controllers N, --zones N, --load-balancer
                         default: ${usualInstallation.controllers.count}, ${usualInstallation.zones}, none
    --jobs N             how many jobs; default: 1000
    --cpu N --memory N --seconds N [--capacity spot] [--private]
                         one job of your own instead of the examples: CPU units, MiB, seconds from the pull of the image to
                         the stop; --private: without a public address
`

async function cost(args: readonly string[]): Promise<number> {
  const options = readOptions(args)
  if (options.help) {
    process.stdout.write(help)
    return 0
  }
  const prices = {
    fargate: readPrices('FARGATE_PRICES', fargatePricesSchema, process.env.FARGATE_PRICES || '{}'),
    services: readPrices('--prices', servicePricesSchema, options.prices),
  }
  const architecture = oneOf('--architecture', architectures, options.architecture)
  const installation = {
    architecture,
    zones: whole('--zones', options.zones),
    loadBalancer: options['load-balancer'],
    controllers: { ...usualInstallation.controllers, count: whole('--controllers', options.controllers) },
  }
  const jobs =
    options.cpu === undefined
      ? exampleJobs.map((job) => ({ ...job, tasks: job.tasks.map((task) => ({ ...task, architecture })) }))
      : [ownJob(options, architecture)]
  process.stdout.write(
    `${idleTable(installation, prices)}\n\n${jobsTable(whole('--jobs', options.jobs), jobs, prices)}\n`,
  )
  return 0
}

const readOptions = (args: readonly string[]) => {
  try {
    return parseArgs({
      args: [...args],
      options: {
        prices: { type: 'string', default: '{}' },
        architecture: { type: 'string', default: usualInstallation.architecture },
        controllers: { type: 'string', default: String(usualInstallation.controllers.count) },
        zones: { type: 'string', default: String(usualInstallation.zones) },
        'load-balancer': { type: 'boolean', default: usualInstallation.loadBalancer },
        jobs: { type: 'string', default: '1000' },
        cpu: { type: 'string' },
        memory: { type: 'string' },
        seconds: { type: 'string' },
        capacity: { type: 'string', default: 'on-demand' },
        private: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values
  } catch (error) {
    throw new MustDo(`${error instanceof Error ? error.message : String(error)}\n${help}`)
  }
}

function ownJob(
  options: ReturnType<typeof readOptions>,
  architecture: (typeof architectures)[number],
): JobShape {
  const cpu = whole('--cpu', options.cpu)
  const memoryMiB = whole('--memory', options.memory)
  const seconds = whole('--seconds', options.seconds)
  const capacity = oneOf('--capacity', ['on-demand', 'spot'] as const, options.capacity)
  if (!isFargateSize(cpu, memoryMiB))
    throw new MustDo(`--cpu ${cpu} --memory ${memoryMiB}: there is no such size of Fargate task`)
  const what = `${cpu / 1024} vCPU, ${memoryMiB / 1024} GB, ${seconds} seconds, ${capacity}`
  const task = { cpu, memoryMiB, seconds, capacity, architecture, publicIp: !options.private }
  return { what, tasks: [task], records: 1, files: 0 }
}

function whole(name: string, text: string | undefined): number {
  const number = Number(text)
  if (text === undefined || !Number.isInteger(number) || number < 1)
    throw new MustDo(`${name}: "${text ?? ''}" is not allowed: must be a whole number from 1`)
  return number
}

function oneOf<const T extends string>(name: string, allowed: readonly T[], text: string): T {
  const found = allowed.find((one) => one === text)
  if (found === undefined)
    throw new MustDo(`${name}: "${text}" is not allowed: must be one of: ${allowed.join(', ')}`)
  return found
}

/** @throws MustDo with a sentence for each price that is none */
function readPrices<T>(name: string, schema: z.ZodType<T>, text: string): T {
  const given = parseJson(name, text)
  const parsed = schema.safeParse(given)
  if (parsed.success) return parsed.data
  throw new MustDo(problemsOf(parsed.error, given, [name]).map(sentenceOf).join('\n'))
}

function parseJson(name: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new MustDo(`${name}: must be JSON, like '{"natHour": 0.052}'`)
  }
}

await endWith(cost(process.argv.slice(2)))
