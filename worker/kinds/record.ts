import { type RecordParams, recordParamsSchema } from '../../schemas/kinds/record.ts'
import type { ManifestFile } from '../../schemas/manifest.ts'
import type { RecordingEnd } from '../../schemas/recording.ts'
import { manifestName } from '../../schemas/resources.ts'
import { WorkerError } from '../errors.ts'
import { openGuard } from '../net/guard.ts'
import { shownUrl } from '../net/guarded-fetch.ts'
import { findHlsOptions } from '../record/hls-options.ts'
import { playlistName, recordingName, recordingOf, totalsOf } from '../record/playlist.ts'
import { openPublisher, type Publisher } from '../record/publisher.ts'
import { type RecorderEnd, recordSource } from '../record/recorder.ts'
import { type OpenedSource, openSource } from '../record/source.ts'
import { fileOf } from '../text/hls-subtitles.ts'
import type { Finished, KindHandler, Work } from './handler.ts'
import { parseParams, toolsOf } from './parts.ts'

/** A stream into segments that are uploaded while it is recorded, in a playlist that can be played at any time. */
export const record: KindHandler = async (work) => {
  const { settings, environment, storage, signal } = work
  const params = parseParams(recordParamsSchema, settings.params)
  const url = settings.input?.url
  if (url === undefined) throw new WorkerError('RECORD_INVALID', 'settings.input must have url for this kind')
  const stop = work.endInOrder()
  const refused = new AbortController()
  const guard = openGuard({ privateSources: environment.PRIVATE_SOURCES })
  const source = await openSource(url, { guard, onRefused: (error) => refused.abort(error) })
  try {
    const publisher = await openPublisher({
      storage,
      key: `${settings.output}${playlistName}`,
      owner: environment.FENCE.split('/')[0] ?? '',
      segmentSeconds: params.segmentSeconds,
      confirm: work.confirm,
      signal,
    })
    const { length } = publisher.state().segments
    work.log.info({ source: shownUrl(url), recordedBefore: length }, 'source opened')
    return await inRecording(work, publisher, url, () =>
      run(work, { source, publisher, params, stop, refused: refused.signal }),
    )
  } finally {
    await source.close()
  }
}

type Parts = {
  source: OpenedSource
  publisher: Publisher
  params: RecordParams
  stop: AbortSignal
  refused: AbortSignal
}

const run = async (work: Work, parts: Parts): Promise<RecorderEnd> => {
  const { environment, scratch, signal, nowMs, log } = work
  const tools = await toolsOf(work)
  const { maxDuration } = parts.params
  return recordSource({
    ...parts,
    tools,
    hlsOptions: await findHlsOptions(tools, signal),
    storage: work.storage,
    output: work.settings.output,
    fence: environment.FENCE,
    scratch,
    signal,
    nowMs,
    onProgress: (doneS) =>
      work.tell({
        stage: 'record',
        percent: Math.min(99, Math.floor((100 * doneS) / maxDuration)),
        etaS: Math.max(0, Math.round(maxDuration - doneS)),
      }),
    onRetry: (end, waitMs, said) => log.warn({ end, waitMs, said }, 'the source is asked again'),
  })
}

/** Whatever ends a recording, what there is of it is told beside the playlist. */
const inRecording = async (
  work: Work,
  publisher: Publisher,
  url: string,
  act: () => Promise<RecorderEnd>,
): Promise<Finished> => {
  const tellOf = () => writeRecording(work, publisher, url)
  let end: RecorderEnd
  try {
    end = await act()
  } catch (thrown) {
    const isFinal = thrown instanceof WorkerError && thrown.code === 'URL_REFUSED'
    work.log.warn({ isFinal, segments: publisher.state().segments.length }, 'the recording broke off')
    if (!work.signal.aborted && publisher.state().segments.length > 0) await tellOf()
    throw thrown
  }
  if (end === 'stopped') end = await whyStopped(work, tellOf)
  if (publisher.state().segments.length === 0) return nothingRecorded(work, end)
  await publisher.end(end)
  return finished(work, publisher, await tellOf(), end)
}

/**
 * SIGTERM does not say why. The record does: a cancelled recording is finished and kept; everything else is a pause, after
 * which another attempt goes on in the same playlist.
 * @throws WorkerError INTERRUPTED
 */
const whyStopped = async (work: Work, tellOf: () => Promise<unknown>): Promise<RecordingEnd> => {
  const { stopping } = await work.confirm()
  work.log.info({ stopping }, 'stopped in order')
  if (stopping === 'Cancel') return 'cancelled'
  await tellOf()
  throw new WorkerError('INTERRUPTED', 'what was recorded is kept, and the next attempt goes on in it')
}

const writeRecording = async (
  { settings, storage, signal, nowMs }: Work,
  publisher: Publisher,
  url: string,
): Promise<ManifestFile> => {
  const recording = recordingOf(publisher.state(), shownUrl(url), new Date(nowMs()).toISOString())
  const key = `${settings.output}${recordingName}`
  const text = `${JSON.stringify(recording, null, 2)}\n`
  await storage.uploadText(text, key, signal)
  return fileOf(key, text, { contentType: 'application/json', role: 'metadata' })
}

const nothingRecorded = (work: Work, end: RecordingEnd): Finished => {
  work.log.info({ end }, 'nothing was recorded')
  return { files: [], result: { durationS: 0, bytes: 0, segments: 0, gaps: 0, end } }
}

const finished = (
  { settings: { output } }: Work,
  publisher: Publisher,
  recording: ManifestFile,
  end: RecordingEnd,
): Finished => {
  const { segments } = publisher.state()
  const { recordedS, bytes } = totalsOf(segments)
  const files = segments.map(
    (segment): ManifestFile => ({
      key: `${output}${segment.name}`,
      bytes: segment.bytes,
      sha256: segment.sha256,
      contentType: 'video/mp2t',
      role: 'segment',
    }),
  )
  const playlist = fileOf(`${output}${playlistName}`, publisher.text(), {
    contentType: 'application/vnd.apple.mpegurl',
    role: 'playlist',
  })
  return {
    files: [...files, playlist, recording],
    result: {
      manifest: `${output}${manifestName}`,
      playlist: playlist.key,
      recording: recording.key,
      durationS: Math.round(recordedS * 1000) / 1000,
      bytes,
      segments: segments.length,
      gaps: segments.filter(({ start }, index) => index > 0 && start !== undefined).length,
      end,
    },
  }
}
