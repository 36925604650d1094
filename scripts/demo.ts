import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { Configuration } from '../schemas/configuration.ts'
import { exitCodes } from '../schemas/exit-codes.ts'
import { isTerminal } from '../schemas/job.ts'
import { loadConfiguration } from '../schemas/read-configuration.ts'
import { WorkerError } from '../worker/errors.ts'
import { findMediaTools } from '../worker/ffmpeg.ts'
import { placeBesideOthers } from './demo-place.ts'
import type { Demo, Stage } from './demos/demo.ts'
import { type System, startSystem } from './system.ts'

/**
 * `npm run demo [-- FILE] [--kind K]`: one kind of work from input to result, through the whole system, and you watch. What is
 * done for each kind stands in `demos/`.
 */
type JobView = {
  job: {
    phase: string
    message?: string
    pipeline?: { steps: { name: string; endedAt?: string; children: { state: string }[] }[] }
    attempts?: { n: number }[]
  }
  why: { why: string } | string
  progress?: { percent?: number; stage?: string; etaS?: number }
}
type OutputsView = { files: { key: string; bytes: number; role?: string; url: string }[] }

async function main(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { kind: { type: 'string', default: 'transcode' } },
  })
  const startedMs = performance.now()
  const demo = await demoOf(values.kind)
  const file = positionals[0] === undefined ? undefined : await existingFile(positionals[0])
  const scratch = await mkdtemp(join(tmpdir(), 'demo-'))
  const endings: (() => Promise<void>)[] = [() => rm(scratch, { recursive: true, force: true })]
  try {
    for (const [name, value] of Object.entries(demo.configuration ?? {})) process.env[name] ??= value
    const configuration = await placeBesideOthers(loadConfiguration())
    const system = await startSystem(configuration, { quiet: true })
    endings.push(() => system.close())
    const stage = await openStage(system, scratch, file, (act) => endings.push(act))
    return await run(demo, stage, configuration, startedMs)
  } finally {
    for (const end of endings.toReversed()) await end()
  }
}

async function demoOf(kind: string): Promise<Demo> {
  const folder = join(import.meta.dirname, 'demos')
  const kinds = (await readdir(folder)).map((file) => basename(file, '.ts')).filter((name) => name !== 'demo')
  if (!kinds.includes(kind)) throw new Error(`--kind must be one of: ${kinds.join(', ')}`)
  const { demo } = (await import(`./demos/${kind}.ts`)) as { demo: Demo }
  return demo
}

async function existingFile(given: string): Promise<string> {
  const path = resolve(given)
  const found = await stat(path).catch(() => undefined)
  if (!found?.isFile()) throw new Error(`There is no file ${path}`)
  return path
}

async function openStage(
  { controller: { url }, endpoint }: System,
  scratch: string,
  file: string | undefined,
  atEnd: Stage['atEnd'],
): Promise<Stage> {
  const { PATH = '', FFMPEG_PATH: ffmpegPath, FFPROBE_PATH: ffprobePath } = process.env
  const signal = AbortSignal.timeout(20_000)
  const tools = await findMediaTools({ ffmpegPath, ffprobePath, path: PATH, scratch, signal })
  return {
    url,
    endpoint,
    scratch,
    tools,
    file,
    say,
    ask: (path, body) => ask(`${url}${path}`, body),
    upload: (path, kind) => upload(url, path, kind),
    atEnd,
  }
}

async function run(
  demo: Demo,
  stage: Stage,
  configuration: Configuration,
  startedMs: number,
): Promise<number> {
  const { url } = stage
  const jobId = await demo.start(stage)
  say(`job ${jobId}: ${url}/#/jobs/${jobId}`)
  const [{ job }] = await Promise.all([watch(url, jobId), demo.meanwhile?.(stage, jobId)])
  if (job.phase !== (demo.endsAs ?? 'Succeeded')) {
    say(`${job.phase}: ${job.message ?? 'no reason given'}`)
    return 1
  }
  const outputs = await ask<OutputsView>(`${url}/jobs/${jobId}/outputs`)
  const folder = resolve(configuration.LOCAL_DATA_DIR, 'demo', jobId)
  await download(outputs, jobId, folder)
  if (outputs.files.length > 0) {
    say(table(outputs, jobId))
    say(`all of it in       ${relative(process.cwd(), folder) || folder}/   ${demo.hint ?? ''}`.trimEnd())
  }
  await demo.check?.(stage, folder)
  await showText(outputs, jobId, folder)
  say(`done in            ${((performance.now() - startedMs) / 1000).toFixed(1)} s`)
  // Beside a system that runs, the demo had ports and data of its own.
  const start =
    configuration.LOCAL_AWS_PORT === 0
      ? `stop what runs here, LOCAL_DATA_DIR=${configuration.LOCAL_DATA_DIR} npm start`
      : 'npm start'
  say(`look at the job    ${start}, then http://127.0.0.1:${configuration.PORT || 8080}/#/jobs/${jobId}`)
  return 0
}

/** What was made for reading is shown at once, as far as a screen goes. */
async function showText({ files }: OutputsView, jobId: string, folder: string): Promise<void> {
  const text = files
    .map(({ key }) => nameIn(key, jobId))
    .find((name) => /^(summary\.md|(?!storyboard)[^/]+\.vtt)$/.test(name))
  if (text === undefined) return
  const lines = (await readFile(join(folder, text), 'utf8')).split('\n')
  process.stdout.write(
    `\n${lines
      .slice(0, 24)
      .map((line) => `    ${line}`)
      .join('\n')}\n${lines.length > 24 ? '    ...\n' : ''}\n`,
  )
}

/** As any user would: ask for a link, put the file there. The job is made by the event of the upload. */
async function upload(url: string, file: string, kind: string): Promise<string> {
  const { size } = await stat(file)
  const link = await ask<{ uploadId: string; url: string; headers?: Record<string, string> }>(
    `${url}/uploads`,
    {
      filename: basename(file),
      kind,
    },
  )
  say(`uploading ${basename(file)} (${megabytes(size)})`)
  const answer = await fetch(link.url, {
    method: 'PUT',
    headers: { ...link.headers, 'content-length': String(size) },
    body: Readable.toWeb(createReadStream(file)),
    duplex: 'half',
  } as RequestInit)
  if (!answer.ok) throw new Error(`The upload failed: ${answer.status} ${await answer.text()}`)
  const { jobId } = await ask<{ jobId: string }>(`${url}/uploads/${link.uploadId}/confirm`, {})
  return jobId
}

async function watch(url: string, jobId: string): Promise<JobView> {
  let shown = ''
  for (;;) {
    const view = await ask<JobView>(`${url}/jobs/${jobId}`)
    const line = progressLine(view)
    if (line !== shown) {
      shown = line
      if (process.stdout.isTTY) process.stdout.write(`\r\x1b[2K  ${line}`)
      else say(line)
    }
    if (isTerminal(view.job.phase)) {
      if (process.stdout.isTTY) process.stdout.write('\n')
      return view
    }
    await sleep(200)
  }
}

const barWidth = 30

function progressLine({ job, progress }: JobView): string {
  if (job.pipeline) {
    const done = progress?.percent === undefined ? '' : `${Math.floor(progress.percent)} %  `
    return `${job.phase.padEnd(9)} ${done}${job.pipeline.steps.map(stepWords).join(', ')}`
  }
  const percent = job.phase === 'Succeeded' ? 100 : Math.floor((progress?.percent ?? 0) / 5) * 5
  const filled = Math.round((percent / 100) * barWidth)
  const bar = `${'#'.repeat(filled)}${'.'.repeat(barWidth - filled)}`
  return `${job.phase.padEnd(9)} ${bar} ${String(percent).padStart(3)} %  ${progress?.stage ?? ''}`.trimEnd()
}

function stepWords({
  name,
  endedAt,
  children,
}: NonNullable<JobView['job']['pipeline']>['steps'][number]): string {
  if (endedAt !== undefined) return `${name} done`
  const done = children.filter(({ state }) => state === 'succeeded').length
  return children.length > 1 ? `${name} ${done} of ${children.length}` : `${name} ...`
}

async function download({ files }: OutputsView, jobId: string, folder: string): Promise<void> {
  for (const { key, url } of files) {
    const path = join(folder, nameIn(key, jobId))
    await mkdir(dirname(path), { recursive: true })
    const answer = await fetch(url)
    if (!answer.ok) throw new Error(`${key}: ${answer.status}`)
    await writeFile(path, Buffer.from(await answer.arrayBuffer()))
  }
}

const nameIn = (key: string, jobId: string): string => key.split(`${jobId}/`).at(-1) ?? key

/** One line per folder of segments, one per other file: what a person wants to know, not 40 segments. */
function table({ files }: OutputsView, jobId: string): string {
  const rows = new Map<string, { count: number; bytes: number }>()
  for (const { key, bytes } of files) {
    const name = nameIn(key, jobId)
    const row = name.includes('/') ? `${name.split('/')[0]}/` : name
    const sum = rows.get(row) ?? { count: 0, bytes: 0 }
    rows.set(row, { count: sum.count + 1, bytes: sum.bytes + bytes })
  }
  return [...rows]
    .map(
      ([name, { count, bytes }]) =>
        `${name.padEnd(18)} ${String(count).padStart(3)} file${count === 1 ? ' ' : 's'} ${megabytes(bytes).padStart(10)}`,
    )
    .join('\n  ')
}

const megabytes = (bytes: number): string =>
  bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`

async function ask<T>(url: string, body?: unknown): Promise<T> {
  const answer = await fetch(
    url,
    body === undefined
      ? {}
      : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) },
  )
  const json = (await answer.json()) as T & { message?: string }
  if (!answer.ok) throw new Error(`${url}: ${answer.status} ${json.message ?? ''}`)
  return json
}

const say = (line: string): void => {
  process.stdout.write(`  ${line}\n`)
}

process.exitCode = await main().catch((error: unknown) => {
  process.stderr.write(`\n  ${error instanceof Error ? error.message : String(error)}\n`)
  return error instanceof WorkerError ? exitCodes.badConfiguration : 1
})
