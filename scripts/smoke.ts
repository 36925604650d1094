import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { isTerminal } from '../schemas/job.ts'
import { uploadKinds } from '../schemas/kinds/index.ts'
import { resourceNames } from '../schemas/resources.ts'
import { WorkerError } from '../worker/errors.ts'
import { findMediaTools } from '../worker/ffmpeg.ts'
import { terraform } from './cdktf-plan.ts'
import { ask, endWith, MustDo } from './command.ts'
import { makeVideo } from './demo-video.ts'
import { readOutputs } from './deploy-plan.ts'
import { deployment } from './deployment.ts'
import { type AwsPlace, byAws, byHttp, type Way } from './smoke-ways.ts'

const help = `
  npm run smoke [-- OPTIONS]

  Uploads a short video, waits until its job has ended, prints what came out of it. Exits 0 only if the job succeeded.

  Without options it uses what ENVIRONMENT deployed (terraform output); where nothing was deployed, what npm start runs
  on this machine.

    --local            what npm start runs: http://127.0.0.1:4566
    --endpoint URL     another local AWS
    --url URL          by the HTTP API instead; --token TOKEN or API_TOKEN if it asks for one
    --region, --table, --uploads, --outputs NAME
                       say it instead of Terraform
    --file FILE        this video instead of one made by ffmpeg
    --kind KIND        default: transcode
    --timeout-s N      how long to wait; default: 600
`

const lookEveryMs = 500
const clipSeconds = 4

async function smoke(args: readonly string[]): Promise<number> {
  const options = readOptions(args)
  if (options.help) {
    process.stdout.write(help)
    return 0
  }
  const timeoutS = Number(options['timeout-s'])
  if (!Number.isInteger(timeoutS) || timeoutS < 1)
    throw new MustDo(`--timeout-s: "${options['timeout-s']}" is not allowed: must be a whole number from 1`)
  const kind = uploadKinds.find((name) => name === options.kind)
  if (kind === undefined)
    throw new MustDo(`--kind: "${options.kind}" is not allowed: must be one of: ${uploadKinds.join(', ')}`)
  const way = await chooseWay(options)
  const scratch = await mkdtemp(join(tmpdir(), 'smoke-'))
  try {
    const file = await chooseVideo(options.file, scratch)
    return await run(way, file, kind, timeoutS * 1000).catch((error: unknown) => {
      // Of AWS or of our API: wrong bucket, no credentials, no connection. Where in the code is of no use to anybody.
      if (error instanceof MustDo || !(error instanceof Error)) throw error
      throw new MustDo(`${way.place} does not do it: ${error.name}: ${error.message}`)
    })
  } finally {
    way.close()
    await rm(scratch, { recursive: true, force: true })
  }
}

type Options = ReturnType<typeof readOptions>

const readOptions = (args: readonly string[]) => {
  try {
    return parseArgs({
      args: [...args],
      options: {
        local: { type: 'boolean', default: false },
        endpoint: { type: 'string' },
        url: { type: 'string' },
        token: { type: 'string' },
        region: { type: 'string' },
        table: { type: 'string' },
        uploads: { type: 'string' },
        outputs: { type: 'string' },
        file: { type: 'string' },
        kind: { type: 'string', default: 'transcode' },
        'timeout-s': { type: 'string', default: '600' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values
  } catch (error) {
    throw new MustDo(`${error instanceof Error ? error.message : String(error)}\n${help}`)
  }
}

const localEndpoint = 'http://127.0.0.1:4566'

/** What was said, then what was deployed, then what runs here. */
async function chooseWay(options: Options): Promise<Way> {
  if (options.url !== undefined)
    return byHttp(options.url.replace(/\/$/, ''), options.token ?? process.env.API_TOKEN)
  const endpoint =
    options.endpoint ?? (options.local ? localEndpoint : (process.env.AWS_ENDPOINT_URL ?? undefined))
  if (endpoint !== undefined) return byAws(localPlace(endpoint, options))
  const { table, uploads, outputs } = options
  if (table !== undefined && uploads !== undefined && outputs !== undefined)
    return byAws({
      region: options.region ?? process.env.AWS_REGION ?? 'us-east-1',
      jobsTable: table,
      uploadsBucket: uploads,
      outputsBucket: outputs,
    })
  const here = deployment()
  const deployed = readOutputs((await ask(terraform(here.folder, 'output', '-json'))).said)
  if (deployed !== undefined)
    return byAws({
      region: deployed.region,
      jobsTable: deployed.jobs_table,
      uploadsBucket: deployed.uploads_bucket,
      outputsBucket: deployed.outputs_bucket,
    })
  if (await answers(localEndpoint)) return byAws(localPlace(localEndpoint, options))
  throw new MustDo(
    `Nothing is deployed from this folder as ${here.config.installation}, and nothing answers at ${localEndpoint}.\n` +
      'npm run deploy, or npm start in another terminal, then once more: npm run smoke\n' +
      'Deployed from elsewhere: npm run smoke -- --region R --table T --uploads BUCKET --outputs BUCKET',
  )
}

function localPlace(endpoint: string, { region, table, uploads, outputs }: Options): AwsPlace {
  // What the local AWS takes from everybody.
  process.env.AWS_ACCESS_KEY_ID ??= 'local'
  process.env.AWS_SECRET_ACCESS_KEY ??= 'local'
  const names = resourceNames()
  return {
    endpoint,
    region: region ?? process.env.AWS_REGION ?? 'us-east-1',
    jobsTable: table ?? names.jobsTable,
    uploadsBucket: uploads ?? names.uploadsBucket,
    outputsBucket: outputs ?? names.outputsBucket,
  }
}

const answers = (url: string): Promise<boolean> =>
  fetch(url, { signal: AbortSignal.timeout(2000) }).then(
    () => true,
    () => false,
  )

async function chooseVideo(given: string | undefined, scratch: string): Promise<string> {
  if (given !== undefined) {
    const path = resolve(given)
    const found = await stat(path).catch(() => undefined)
    if (!found?.isFile()) throw new MustDo(`--file: there is no file ${path}`)
    return path
  }
  const tools = await findMediaTools({
    ffmpegPath: process.env.FFMPEG_PATH,
    ffprobePath: process.env.FFPROBE_PATH,
    path: process.env.PATH ?? '',
    scratch,
    signal: AbortSignal.timeout(20_000),
  }).catch((error: unknown) => {
    if (!(error instanceof WorkerError)) throw error
    throw new MustDo(`${error.message}\nOr bring a video: npm run smoke -- --file FILE`)
  })
  const path = join(scratch, 'smoke.mp4')
  await makeVideo(tools.ffmpeg.path, path, clipSeconds)
  return path
}

async function run(way: Way, file: string, kind: string, timeoutMs: number): Promise<number> {
  const startedMs = performance.now()
  const jobId = await way.upload(file, kind)
  say(`uploaded to ${way.place}: job ${jobId}`)
  let shown = ''
  while (performance.now() - startedMs < timeoutMs) {
    const job = await way.look(jobId)
    const line = describe(job)
    if (line !== shown) say(`${((performance.now() - startedMs) / 1000).toFixed(1).padStart(6)} s  ${line}`)
    shown = line
    if (job !== undefined && isTerminal(job.phase)) return end(way, jobId, job.phase)
    await sleep(lookEveryMs)
  }
  throw new MustDo(
    `The job was still "${shown}" after ${timeoutMs / 1000} s. Why it waits stands on the status page, and in the logs of the controller.`,
  )
}

const describe = (job: Awaited<ReturnType<Way['look']>>): string =>
  job === undefined
    ? 'no record yet'
    : [
        job.phase,
        job.reason,
        job.progress?.stage,
        job.progress?.percent !== undefined && `${Math.floor(job.progress.percent)} %`,
        job.message,
      ]
        .filter((part) => part)
        .join('  ')

async function end(way: Way, jobId: string, phase: string): Promise<number> {
  if (phase !== 'Succeeded') return 1
  const files = await way.outputs(jobId)
  for (const { key, bytes } of files) say(`${String(bytes).padStart(10)} bytes  ${key}`)
  say(`${files.length} files. It works.`)
  return files.length > 0 ? 0 : 1
}

const say = (line: string): void => {
  process.stdout.write(`  ${line}\n`)
}

await endWith(smoke(process.argv.slice(2)))
