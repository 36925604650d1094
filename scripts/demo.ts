import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
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
import { makeTalk } from './demo-talk.ts'
import { makeVideo } from './demo-video.ts'
import { startSystem } from './system.ts'

/**
 * `npm run demo [-- FILE] [--kind K]`: one upload becomes renditions, subtitles or a summary, through the whole system, and
 * you watch.
 */
const demoSeconds = 10

type JobView = {
  job: {
    phase: string
    message?: string
    progress?: { percent?: number; stage?: string }
    pipeline?: { steps: { name: string; endedAt?: string }[] }
    attempts?: { n: number }[]
  }
  why: { why: string } | string
}
type OutputsView = { files: { key: string; bytes: number; role?: string; url: string }[] }

async function demo(): Promise<number> {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { kind: { type: 'string', default: 'transcode' } },
  })
  const startedMs = performance.now()
  const scratch = await mkdtemp(join(tmpdir(), 'demo-'))
  try {
    const file = await chooseVideo(positionals[0], values.kind, scratch)
    const configuration = await withFreePorts(loadConfiguration())
    const system = await startSystem(configuration, { quiet: true })
    try {
      return await run(system.controller.url, file, values.kind, configuration, startedMs)
    } finally {
      await system.close()
    }
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function chooseVideo(given: string | undefined, kind: string, scratch: string): Promise<string> {
  if (given !== undefined) {
    const path = resolve(given)
    const found = await stat(path).catch(() => undefined)
    if (!found?.isFile()) throw new Error(`There is no file ${path}`)
    return path
  }
  const tools = await findMediaTools({
    ffmpegPath: process.env.FFMPEG_PATH,
    ffprobePath: process.env.FFPROBE_PATH,
    path: process.env.PATH ?? '',
    scratch,
    signal: AbortSignal.timeout(20_000),
  })
  const path = join(scratch, 'demo.mp4')
  if (kind === 'subtitles' || kind === 'analyze') {
    const speakers = await makeTalk(tools.ffmpeg.path, path, scratch)
    say(`made a 30 s talk: ${speakers}`)
    return path
  }
  say(`making a ${demoSeconds} s video with ffmpeg ${tools.ffmpeg.version} (${tools.ffmpeg.source})`)
  await makeVideo(tools.ffmpeg.path, path, demoSeconds)
  return path
}

/** The demo does not want to fail because something else uses a port. */
async function withFreePorts(configuration: Configuration): Promise<Configuration> {
  const free = (port: number): Promise<boolean> =>
    new Promise((answer) => {
      const server = createServer()
      server.once('error', () => answer(false))
      server.listen(port, '127.0.0.1', () => server.close(() => answer(true)))
    })
  const [port, awsPort] = [configuration.PORT, configuration.LOCAL_AWS_PORT]
  return {
    ...configuration,
    PORT: (await free(port)) ? port : 0,
    LOCAL_AWS_PORT: (await free(awsPort)) ? awsPort : 0,
  }
}

async function run(
  url: string,
  file: string,
  kind: string,
  configuration: Configuration,
  startedMs: number,
): Promise<number> {
  const jobId = await upload(url, file, kind)
  say(`job ${jobId}: ${url}/#/jobs/${jobId}`)
  const { job } = await watch(url, jobId)
  if (job.phase !== 'Succeeded') {
    say(`${job.phase}: ${job.message ?? 'no reason given'}`)
    return 1
  }
  const outputs = await ask<OutputsView>(`${url}/jobs/${jobId}/outputs`)
  const folder = resolve(configuration.LOCAL_DATA_DIR, 'demo', jobId)
  await download(outputs, jobId, folder)
  say(table(outputs, jobId))
  say(`all of it in       ${relative(process.cwd(), folder) || folder}/   ${hints[kind] ?? ''}`)
  await showText(outputs, jobId, folder)
  say(`done in            ${((performance.now() - startedMs) / 1000).toFixed(1)} s`)
  say(`look at the job    npm start, then http://127.0.0.1:${configuration.PORT || 8080}/#/jobs/${jobId}`)
  return 0
}

const hints: Readonly<Record<string, string>> = {
  transcode: '(play master.m3u8 with ffplay, mpv or VLC)',
  analyze: '(read summary.md)',
}

/** What was made for reading is shown at once, as far as a screen goes. */
async function showText({ files }: OutputsView, jobId: string, folder: string): Promise<void> {
  const text = files
    .map(({ key }) => nameIn(key, jobId))
    .find((name) => /^(summary\.md|[^/]+\.vtt)$/.test(name))
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

function progressLine({ job }: JobView): string {
  if (job.pipeline)
    return `${job.phase.padEnd(9)} ${job.pipeline.steps.map(({ name, endedAt }) => `${name}${endedAt === undefined ? ' ...' : ' done'}`).join(', ')}`
  const percent = job.phase === 'Succeeded' ? 100 : Math.floor((job.progress?.percent ?? 0) / 5) * 5
  const filled = Math.round((percent / 100) * barWidth)
  const bar = `${'#'.repeat(filled)}${'.'.repeat(barWidth - filled)}`
  return `${job.phase.padEnd(9)} ${bar} ${String(percent).padStart(3)} %  ${job.progress?.stage ?? ''}`.trimEnd()
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

process.exitCode = await demo().catch((error: unknown) => {
  process.stderr.write(`\n  ${error instanceof Error ? error.message : String(error)}\n`)
  return error instanceof WorkerError ? exitCodes.badConfiguration : 1
})
