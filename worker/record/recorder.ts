import { mkdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RecordParams } from '../../schemas/kinds/record.ts'
import type { RecordingEnd } from '../../schemas/recording.ts'
import { runChild } from '../children.ts'
import { type ErrorCode, WorkerError } from '../errors.ts'
import type { MediaTools } from '../ffmpeg.ts'
import { probeTimeoutMs } from '../media/limits.ts'
import { outerText } from '../net/inner-url.ts'
import type { Storage } from '../storage.ts'
import { type ListedSegment, lengthArguments, probeArguments, recordArguments } from './command.ts'
import { howItEnded, whatNext } from './ending.ts'
import { type RecordedSegment, recordedUntilMs, type Start, segmentName, totalsOf } from './playlist.ts'
import { hasNoMore, isAtEnd, positionIn, seekFor } from './position.ts'
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
  /** What this version of ffmpeg needs for HLS. */
  hlsOptions: readonly string[]
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
  const watch: Watch = {
    mediaMs: nowMs(),
    broughtNow: false,
    isSilent: publisher.state().isSilent ?? false,
    tries: 0,
  }
  let known: Known = { plan: undefined, isFresh: false, isChanged: false }
  for (;;) {
    const enough = whyEnough(ports)
    if (enough !== undefined) return enough
    if (stop.aborted) return 'stopped'
    const run = await runOnce(ports, known, watch)
    if (typeof run === 'string') return run
    // A look that nothing came after counts once more: some sources take their time until they serve again.
    const isFresh = run.plan !== undefined && !run.brought && !known.isFresh
    known = { plan: run.plan ?? known.plan, isFresh, isChanged: known.isChanged && !run.brought }
    signal.throwIfAborted()
    if (refused.aborted) throw refused.reason
    if (stop.aborted) return 'stopped'
    if (whyEnough(ports) !== undefined) continue
    const end = howItEnded({
      ...run,
      seen: ports.source.seen(),
      failure: ports.source.failure(),
      isAll: isAtEnd(publisher.state(), run.plan),
      isUnfit: run.unfit !== undefined,
    })
    known.isChanged ||= end === 'changed'
    watch.isSilent ||= end === 'stalled'
    const next = whatNext(
      end,
      {
        recordedS: totalsOf(publisher.state().segments).recordedS,
        broughtNow: watch.broughtNow,
        silentMs: nowMs() - watch.mediaMs,
        tries: watch.tries,
        isOver: run.isOver,
      },
      params,
    )
    if (next.do === 'fail' && next.code === 'SOURCE_STALLED' && publisher.state().segments.length > 0)
      await publisher.fallSilent()
    const said = ports.source.failure() ?? lastWords(run.stderr)
    if (next.do === 'finish') return next.end
    if (next.do === 'fail' && next.code === run.unfit?.code) throw run.unfit
    if (next.do === 'fail') throw failure(next.code, said, run.isOver ? undefined : params.giveUpAfter)
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

/** What was seen in the source last, and whether it need not be looked at anew. */
type Known = {
  plan: StreamPlan | undefined
  isFresh: boolean
  /** It went on with other segments, of which none was recorded yet. */
  isChanged: boolean
}

type Watch = {
  /** When something new came last, or the attempt began. */
  mediaMs: number
  broughtNow: boolean
  /** It was there and brought nothing when it was read last, maybe by an attempt before. */
  isSilent: boolean
  tries: number
}

type Run = {
  plan: StreamPlan | undefined
  exitCode: number | null
  stalled: boolean
  stderr: string
  brought: boolean
  /** Nothing was read, because maxDuration had passed while the source was silent. */
  isOver: boolean
  /** Why its streams cannot be recorded. */
  unfit: WorkerError | undefined
}

const nothingYet: Run = {
  plan: undefined,
  exitCode: 1,
  stalled: false,
  stderr: '',
  brought: false,
  isOver: false,
  unfit: undefined,
}

const overInSilence: Run = { ...nothingYet, stalled: true, isOver: true }

const runOnce = async (ports: RecorderPorts, known: Known, watch: Watch): Promise<Run | RecordingEnd> => {
  const { source, params, publisher, refused, stop, signal, tools, nowMs } = ports
  source.forget()
  const stopped = AbortSignal.any([stop, refused])
  // Each time, since it may come back with other streams, or have an end by now.
  const looked = known.isFresh
    ? { ...nothingYet, plan: known.plan }
    : await look(ports, stopped, lookMs(known, params))
  if (stopped.aborted) return nothingYet
  if (looked.plan === undefined) {
    // It is away, and time goes on. An attempt that never met it asks on: by now it may have an end, and lose nothing.
    const isOver = watch.broughtNow && known.plan !== undefined && leftS(ports, known.plan) < leastS
    if (!isOver) return looked
    return fellShort(ports, watch) ? overInSilence : 'maxDuration'
  }
  const plan = { ...looked.plan, durationS: looked.plan.durationS ?? known.plan?.durationS }
  source.forget()
  const { recordedS, gapS } = totalsOf(publisher.state().segments)
  const positionS = positionIn(publisher.state(), plan, nowMs())
  if (hasNoMore(positionS, plan)) return 'ended'
  const fromS = seekFor(positionS, plan)
  const lengthS = leftS(ports, plan)
  // A playlist that can be read may still be the one that brings nothing; of all else, what can be looked at is there again.
  if (lengthS < leastS) return plan.isHls && fellShort(ports, watch) ? overInSilence : 'maxDuration'
  const folder = join(ports.scratch, 'segments')
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder)
  const isFull = new AbortController()
  const began: { atMs: number | undefined } = { atMs: undefined }
  const result = await runRecorder(
    recordArguments({
      source: source.address,
      plan,
      hlsOptions: ports.hlsOptions,
      lengthS,
      fromS,
      liveStartIndex: known.isChanged ? 0 : recordedS > 0 ? -1 : undefined,
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
      nowMs,
      onSegment: async (path, segment, index) => {
        const startMs = index === 0 ? (began.atMs ?? nowMs() - segment.durationS * 1000) : undefined
        const durationS = index === 0 && fromS > 0 ? await lengthOf(ports, path) : undefined
        const exact = { ...segment, durationS: durationS ?? segment.durationS }
        await publishSegment(ports, path, exact, { plan, startMs, fromS })
        if (whyEnough(ports) !== undefined) isFull.abort()
      },
      onOpen: (openBytes) => {
        const published = totalsOf(publisher.state().segments).bytes
        if (published + openBytes >= params.maxBytes) isFull.abort()
      },
      onMedia: (seconds) => {
        began.atMs ??= nowMs() - seconds * 1000
        watch.mediaMs = nowMs()
        watch.broughtNow = true
        watch.isSilent = false
        watch.tries = 0
        ports.onProgress(recordedS + gapS + seconds)
      },
    },
  )
  // While its last segment went up, nobody listened to the source: that is no silence of it.
  watch.mediaMs += result.uploadMs
  return { ...nothingYet, ...result, plan, brought: began.atMs !== undefined }
}

/** Whether silence has cost more than a segment of what was asked for. */
const fellShort = ({ publisher, params }: RecorderPorts, { isSilent }: Watch): boolean => {
  const { recordedS, gapS } = totalsOf(publisher.state().segments)
  return isSilent && recordedS + gapS < params.maxDuration - params.segmentSeconds
}

/** How much of maxDuration is left, if it went on at once. */
const leftS = ({ publisher, params, nowMs }: RecorderPorts, plan: StreamPlan): number => {
  const { segments } = publisher.state()
  const { recordedS, gapS } = totalsOf(segments)
  return params.maxDuration - recordedS - gapS - gapMs(nowMs(), segments, plan) / 1000
}

/** Uploads a segment, then names it in the playlist: a player that follows never meets a hole. */
const publishSegment = async (
  { publisher, storage, output, fence, signal }: RecorderPorts,
  path: string,
  { durationS, endS }: ListedSegment,
  { plan, startMs, fromS }: { plan: StreamPlan; startMs: number | undefined; fromS: number },
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
  const position = plan.durationS === undefined ? 'live' : fromS + endS
  await publisher.append({ name, durationS, bytes, sha256, ...start }, position)
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

/**
 * Of the first segment after a seek, which began before where it was meant to, the list does not say how long it is.
 * @returns undefined where ffprobe cannot tell
 */
const lengthOf = async (
  { tools, signal }: Pick<RecorderPorts, 'tools' | 'signal'>,
  path: string,
): Promise<number | undefined> => {
  const lines: string[] = []
  await runChild(tools.ffprobe.path, lengthArguments(path), {
    env: tools.env,
    signal: AbortSignal.any([signal, AbortSignal.timeout(probeTimeoutMs)]),
    onStdoutLine: (line) => lines.push(line),
  })
  const seconds = Number(lines[0])
  return seconds > 0 ? seconds : undefined
}

/** A source that was there is asked for no longer than it may be silent, or little more, since a camera takes its seconds. */
const lookMs = ({ plan }: Known, { stallTimeout }: RecordParams): number =>
  plan === undefined ? probeTimeoutMs : Math.min(probeTimeoutMs, Math.max(8000, stallTimeout * 1000))

/** What the source consists of, by ffprobe. What is wrong with it is an end like any other: it may come back. */
const look = async (ports: RecorderPorts, stopped: AbortSignal, withinMs: number): Promise<Run> => {
  const { source, hlsOptions } = ports
  const first = await probeOnce(ports, stopped, withinMs, [])
  // Only now it is known what it is, and that it may take more to open it.
  if (first.plan !== undefined || source.seen()?.playlistEnded === undefined || stopped.aborted) return first
  return hlsOptions.length === 0 ? first : probeOnce(ports, stopped, withinMs, hlsOptions)
}

const probeOnce = async (
  { source, tools, signal }: RecorderPorts,
  stopped: AbortSignal,
  withinMs: number,
  options: readonly string[],
): Promise<Run> => {
  const slow = AbortSignal.timeout(withinMs)
  const lines: string[] = []
  const { exitCode, stderr } = await runChild(tools.ffprobe.path, probeArguments(source.address, options), {
    env: { ...tools.env, ...source.env },
    signal: AbortSignal.any([stopped, signal, slow]),
    onStdoutLine: (line) => lines.push(line),
  })
  const isCut = slow.aborted || stopped.aborted
  if (exitCode !== 0 || isCut)
    return { ...nothingYet, exitCode: exitCode || 1, stderr, stalled: slow.aborted }
  try {
    return { ...nothingYet, plan: planStreams(JSON.parse(lines.join('\n'))) }
  } catch (thrown) {
    if (!(thrown instanceof WorkerError)) throw thrown
    // One that comes back half may come back whole.
    return { ...nothingYet, unfit: thrown, stderr: thrown.message }
  }
}

/** @param afterS how long it was waited for; undefined: until maxDuration had passed */
const failure = (code: ErrorCode, said: string, afterS: number | undefined): WorkerError => {
  if (code === 'SOURCE_FORBIDDEN' || code === 'SOURCE_UNSUPPORTED')
    return new WorkerError(code, said || undefined)
  const waited =
    afterS === undefined ? 'nothing new until maxDuration had passed' : `nothing new for ${afterS} s`
  return new WorkerError(code, said === '' ? waited : `${waited}; ${said}`)
}

/** Addresses of sources stand in what ffmpeg says; their queries may be secrets, and our own ports mean nothing to anybody. */
const lastWords = (stderr: string): string =>
  outerText(stderr)
    .trim()
    .split('\n')
    .slice(-2)
    .join(' | ')
    .replace(/\?[^\s'"]*/g, '?***')
    .slice(-300)
