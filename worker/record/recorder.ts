import { mkdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RecordParams } from '../../schemas/kinds/record.ts'
import type { RecordingEnd } from '../../schemas/recording.ts'
import { runChild } from '../children.ts'
import { type ErrorCode, WorkerError } from '../errors.ts'
import type { MediaTools } from '../ffmpeg.ts'
import { probeTimeoutMs } from '../media/limits.ts'
import type { Storage } from '../storage.ts'
import { type ListedSegment, probeArguments, recordArguments } from './command.ts'
import { howItEnded, whatNext } from './ending.ts'
import { hlsOptions } from './hls-options.ts'
import { type RecordedSegment, recordedUntilMs, type Start, segmentName, totalsOf } from './playlist.ts'
import type { Publisher } from './publisher.ts'
import { runRecorder } from './run.ts'
import type { OpenedSource } from './source.ts'
import { planStreams, type StreamPlan } from './streams.ts'

export type RecorderPorts = {
  source: OpenedSource
  params: RecordParams
  publisher: Publisher
  storage: Pick<Storage, 'upload'>
  tools: MediaTools
  /** Prefix of the outputs. */
  output: string
  fence: string
  scratch: string
  /** Ends it in order. */
  stop: AbortSignal
  /** Aborted with URL_REFUSED when the source leads somewhere it may not. */
  refused: AbortSignal
  /** Ends everything at once. */
  signal: AbortSignal
  onProgress: (doneS: number) => void
  onRetry: (end: string, waitMs: number, said: string) => void
  nowMs: () => number
}

/** stopped: somebody asked for it; there may be more to come. */
export type RecorderEnd = RecordingEnd | 'stopped'

/**
 * Records until there is enough, the source has ended, or somebody asks to stop. A source that breaks off is asked again; where
 * something is missing, the playlist has a discontinuity and says how much.
 * @throws WorkerError SOURCE_* once the source is given up, URL_REFUSED; what was recorded until then is published
 */
export const recordSource = async (ports: RecorderPorts): Promise<RecorderEnd> => {
  const { params, publisher, refused, signal, stop, nowMs } = ports
  const watch = { mediaMs: nowMs(), broughtNow: false, tries: 0 }
  let plan: StreamPlan | undefined
  for (;;) {
    const enough = whyEnough(ports)
    if (enough !== undefined) return enough
    if (stop.aborted) return 'stopped'
    const run = await runOnce(ports, plan, watch)
    if (run === 'enough') return 'maxDuration'
    plan = run.plan ?? plan
    signal.throwIfAborted()
    if (refused.aborted) throw refused.reason
    if (stop.aborted) return 'stopped'
    if (whyEnough(ports) !== undefined) continue
    const end = howItEnded({ ...run, seen: ports.source.seen() })
    const next = whatNext(
      end,
      {
        recordedS: totalsOf(publisher.state().segments).recordedS,
        broughtNow: watch.broughtNow,
        silentMs: nowMs() - watch.mediaMs,
        tries: watch.tries,
      },
      params,
    )
    const said = ports.source.failure() ?? lastWords(run.stderr)
    if (next.do === 'finish') return next.end
    if (next.do === 'fail') throw failure(next.code, said, params)
    watch.tries += 1
    ports.onRetry(end, next.waitMs, said)
    await sleep(next.waitMs, undefined, { signal: AbortSignal.any([stop, signal]) }).catch(() => undefined)
  }
}

/** Less than this is no recording any more, and ffmpeg would not begin it. */
const leastS = 0.1

const whyEnough = ({ publisher, params }: RecorderPorts): RecordingEnd | undefined => {
  const { recordedS, gapS, bytes } = totalsOf(publisher.state().segments)
  if (recordedS + gapS >= params.maxDuration - leastS) return 'maxDuration'
  return bytes >= params.maxBytes ? 'maxBytes' : undefined
}

type Watch = { mediaMs: number; broughtNow: boolean; tries: number }

type Run = {
  plan: StreamPlan | undefined
  exitCode: number | null
  stalled: boolean
  stderr: string
  brought: boolean
}

const nothingYet: Run = { plan: undefined, exitCode: 1, stalled: false, stderr: '', brought: false }

const runOnce = async (
  ports: RecorderPorts,
  known: StreamPlan | undefined,
  watch: Watch,
): Promise<Run | 'enough'> => {
  const { source, params, publisher, refused, stop, signal, tools, nowMs } = ports
  source.forget()
  const stopped = AbortSignal.any([stop, refused])
  const looked = known === undefined ? await look(ports, stopped) : { ...nothingYet, plan: known }
  if (looked.plan === undefined) return looked
  if (stopped.aborted) return nothingYet
  const { plan } = looked
  source.forget()
  const { segments } = publisher.state()
  const { recordedS, gapS } = totalsOf(segments)
  const lengthS = params.maxDuration - recordedS - gapS - gapMs(nowMs(), segments, plan) / 1000
  if (lengthS < leastS) return 'enough'
  const folder = join(ports.scratch, 'segments')
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder)
  const isFull = new AbortController()
  const began: { atMs: number | undefined } = { atMs: undefined }
  const result = await runRecorder(
    recordArguments({
      source: source.address,
      plan,
      hlsOptions: plan.isHls ? await hlsOptions(tools, signal) : [],
      lengthS,
      fromS: recordedS,
      isAgain: recordedS > 0,
      segmentSeconds: params.segmentSeconds,
      segmentWaitUs: (params.stallTimeout * 1e6) / 2,
      folder,
    }),
    {
      tools,
      env: source.env,
      folder,
      cut: source.cut,
      stop: AbortSignal.any([stopped, isFull.signal]),
      signal,
      stallMs: params.stallTimeout * 1000,
      onSegment: async (path, segment, index) => {
        const startMs = index === 0 ? (began.atMs ?? nowMs() - segment.durationS * 1000) : undefined
        await publishSegment(ports, path, segment, startMs, plan)
        if (whyEnough(ports) !== undefined) isFull.abort()
      },
      onMedia: (seconds) => {
        began.atMs ??= nowMs() - seconds * 1000
        watch.mediaMs = nowMs()
        watch.broughtNow = true
        watch.tries = 0
        ports.onProgress(recordedS + gapS + seconds)
      },
    },
  )
  return { plan, ...result, brought: began.atMs !== undefined }
}

/** Uploads a segment, then names it in the playlist: a player that follows never meets a hole. */
const publishSegment = async (
  { publisher, storage, output, fence, signal }: RecorderPorts,
  path: string,
  { durationS }: ListedSegment,
  startMs: number | undefined,
  plan: StreamPlan,
): Promise<void> => {
  const size = await stat(path).then(
    ({ size: bytes }) => bytes,
    () => 0,
  )
  if (size === 0 || durationS <= 0) return
  const { segments } = publisher.state()
  const name = segmentName(segments.length, fence)
  const { bytes, sha256 } = await storage.upload(path, `${output}${name}`, 'segment', signal)
  const start = startMs === undefined ? {} : { start: startOf(startMs, segments, plan) }
  await publisher.append({ name, durationS, bytes, sha256, ...start })
  await rm(path, { force: true })
}

const startOf = (startMs: number, segments: readonly RecordedSegment[], plan: StreamPlan): Start => ({
  at: new Date(startMs).toISOString(),
  gapS: Math.round(gapMs(startMs, segments, plan)) / 1000,
})

/** What was missed of a live source by then; one that has an end is taken up where it was left. */
const gapMs = (atMs: number, segments: readonly RecordedSegment[], { durationS }: StreamPlan): number => {
  const untilMs = recordedUntilMs(segments)
  const isLive = durationS === undefined
  return untilMs === undefined || !isLive ? 0 : Math.max(0, atMs - untilMs)
}

/** What the source consists of, by ffprobe. What is wrong with it is an end like any other: it may come back. */
const look = async (ports: RecorderPorts, stopped: AbortSignal): Promise<Run> => {
  const { source, tools, signal } = ports
  const first = await probeOnce(ports, stopped, [])
  // Only now it is known what it is, and that it may take more to open it.
  if (first.plan !== undefined || source.seen()?.playlistEnded === undefined || stopped.aborted) return first
  const options = await hlsOptions(tools, signal)
  return options.length === 0 ? first : probeOnce(ports, stopped, options)
}

const probeOnce = async (
  { source, tools, signal }: RecorderPorts,
  stopped: AbortSignal,
  options: readonly string[],
): Promise<Run> => {
  const slow = AbortSignal.timeout(probeTimeoutMs)
  const lines: string[] = []
  const { exitCode, stderr } = await runChild(tools.ffprobe.path, probeArguments(source.address, options), {
    env: { ...tools.env, ...source.env },
    signal: AbortSignal.any([stopped, signal, slow]),
    onStdoutLine: (line) => lines.push(line),
  })
  const isCut = slow.aborted || stopped.aborted
  if (exitCode !== 0 || isCut)
    return { ...nothingYet, exitCode: exitCode || 1, stderr, stalled: slow.aborted }
  return { ...nothingYet, plan: planStreams(JSON.parse(lines.join('\n'))) }
}

const failure = (code: ErrorCode, said: string, { giveUpAfter }: RecordParams): WorkerError =>
  code === 'SOURCE_FORBIDDEN' || code === 'SOURCE_UNSUPPORTED'
    ? new WorkerError(code, said || undefined)
    : new WorkerError(code, `nothing new for ${giveUpAfter} s${said === '' ? '' : `; ${said}`}`)

/** Addresses of sources stand in what ffmpeg says; their queries may be secrets, and our own ports mean nothing to anybody. */
const lastWords = (stderr: string): string =>
  stderr
    .trim()
    .split('\n')
    .slice(-2)
    .join(' | ')
    .replace(/\?[^\s'"]*/g, '?***')
    .slice(-300)
