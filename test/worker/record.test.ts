import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import pino from 'pino'
import { afterAll, beforeAll, describe, expect, type TestContext, test, vi } from 'vitest'
import { type RecordParams, recordParamsSchema } from '../../schemas/kinds/record.ts'
import { parsePrivateSource } from '../../schemas/public-address.ts'
import { type Recording, recordingSchema } from '../../schemas/recording.ts'
import { WorkerError } from '../../worker/errors.ts'
import type { MediaTools } from '../../worker/ffmpeg.ts'
import type { Finished, Work } from '../../worker/kinds/handler.ts'
import { record } from '../../worker/kinds/record.ts'
import { parsePlaylist, type RecordingState, totalsOf } from '../../worker/record/playlist.ts'
import { npmMediaTools } from '../support/clips.ts'
import { encoded, openLive, openRadio, openSite, openStudioLine } from '../support/streams.ts'
import { until } from '../support/wait.ts'
import { openHandling } from './handling.ts'
import { allMediaTools, look } from './media.ts'

// Recordings of streams that are there for real: made by an encoder in real time, served over HTTP, broken off in all the ways that
// streams break off.

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 })

const folder = mkdtempSync(join(tmpdir(), 'record-'))
const allTools = await allMediaTools(folder)
let handling: Awaited<ReturnType<typeof openHandling>>
beforeAll(async () => {
  handling = await openHandling()
})
afterAll(async () => {
  await handling.close()
  rmSync(folder, { recursive: true, force: true })
})
const later = <T extends { close: () => Promise<unknown> }>(
  { onTestFinished }: Pick<TestContext, 'onTestFinished'>,
  thing: T,
): T => {
  onTestFinished(async () => void (await thing.close()))
  return thing
}

const execute = promisify(execFile)

type Attempt = {
  /** What becomes of it: what a handler returns or throws. */
  end: Promise<Finished | WorkerError>
  /** SIGTERM. */
  stop: () => void
  /** SIGKILL, as far as a test in one process can: nothing is written from now on. */
  kill: () => void
  /** What the record says about why it is stopped. */
  stopping: { reason: string | undefined }
  told: { stage: string; percent?: number; etaS?: number }[]
}

let jobs = 0
const newJob = () => {
  jobs += 1
  return `rec-${jobs}`
}

/** One attempt at a job, with a task's own storage and everything else as a task has it. */
const start = (
  job: string,
  url: string,
  params: Partial<RecordParams>,
  tools: MediaTools,
  launch = 1,
  storage: Work['storage'] = handling.storage,
): Attempt => {
  const [stopping, killing] = [new AbortController(), new AbortController()]
  const told: Attempt['told'] = []
  const why: Attempt['stopping'] = { reason: undefined }
  const scratch = mkdtempSync(join(folder, 'task-'))
  const port = Number(new URL(url).port)
  const end = record({
    settings: {
      input: { url },
      output: `results/${job}/`,
      params: { segmentSeconds: 2, stallTimeout: 5, giveUpAfter: 6, ...params },
    },
    environment: {
      JOB_ID: job,
      FENCE: `${job}/1/${launch}`,
      PATH: '/nonexistent',
      FFMPEG_PATH: tools.ffmpeg.path,
      FFPROBE_PATH: tools.ffprobe.path,
      OUTPUTS_BUCKET: handling.outputs,
      AWS_REGION: 'us-east-1',
      AWS_ENDPOINT_URL: undefined,
      PRIVATE_SOURCES: [parsePrivateSource(`127.0.0.1:${port}`) ?? []].flat(),
      SEEDING_PORT: 0,
    },
    storage,
    scratch,
    signal: killing.signal,
    tell: (status) => told.push(status),
    endInOrder: () => stopping.signal,
    confirm: async () => ({ stopping: why.reason }),
    nowMs: Date.now,
    log: pino({ level: process.env.TEST_LOG ?? 'silent' }),
  }).catch((error: unknown) => {
    if (error instanceof WorkerError) return error
    throw error
  })
  return {
    end,
    told,
    stopping: why,
    stop: () => stopping.abort(new WorkerError('INTERRUPTED')),
    kill: () => killing.abort(new WorkerError('INTERRUPTED', 'killed')),
  }
}

const outputText = async (key: string) => (await handling.workshop.output(key)).content.toString()
const playlistOf = (job: string) => outputText(`results/${job}/index.m3u8`).catch(() => '')
const stateOf = async (job: string): Promise<RecordingState> => {
  const state = parsePlaylist(await playlistOf(job))
  if (state === undefined) throw new Error(`the playlist of ${job} cannot be read`)
  return state
}
const recordingOf = async (job: string): Promise<Recording> =>
  recordingSchema.parse(JSON.parse(await outputText(`results/${job}/recording.json`)))
const segmentsAre = (job: string, count: number) =>
  until(
    `${job} to have ${count} segments`,
    async () => (await playlistOf(job)).split('#EXTINF').length > count,
    30_000,
  )
/** Seconds that were recorded since the last gap. */
const afterGapS = async (job: string): Promise<number> => {
  const { segments } = await stateOf(job)
  return totalsOf(segments.slice(segments.findLastIndex(({ start }) => start !== undefined))).recordedS
}
const expectDone = (end: Finished | WorkerError): Finished => {
  if (end instanceof WorkerError) throw end
  return end
}

/** What a player sees that gets the playlist over HTTP, and decodes all of it. */
const play = async (job: string, tools: MediaTools) => {
  const site = await openSite((request, response) => {
    const key = `results/${job}${(request.url ?? '').split('?')[0]}`
    handling.workshop.output(key).then(
      ({ content, contentType }) =>
        response.writeHead(200, { 'content-type': contentType ?? '' }).end(content),
      () => response.writeHead(404).end(),
    )
  })
  try {
    const args = ['-v', 'error', '-count_packets', '-of', 'json', '-show_streams', '-show_format']
    const { stdout: text } = await execute(tools.ffprobe.path, [...args, `${site.url}/index.m3u8`], {
      env: tools.env,
      timeout: 20_000,
    })
    // And decodes all of it; without one complaint, where it is in one piece: counters of a transport stream begin anew after a gap.
    const isWhole = !(await playlistOf(job)).includes('#EXT-X-DISCONTINUITY')
    await execute(
      tools.ffmpeg.path,
      [
        ...['-nostdin', '-v', 'error', ...(isWhole ? ['-xerror'] : [])],
        ...['-i', `${site.url}/index.m3u8`, '-f', 'null', '-'],
      ],
      { env: tools.env, timeout: 20_000 },
    )
    const { streams = [] } = JSON.parse(text) as {
      streams?: { codec_type: string; codec_name: string; nb_read_packets: string }[]
    }
    return Object.fromEntries(
      streams.map(({ codec_type: type, codec_name: codec, nb_read_packets: packets }) => [
        type,
        { codec, packets: Number(packets) },
      ]),
    )
  } finally {
    await site.close()
  }
}

/** Every file of the manifest is there as it is said to be. */
const expectWhole = async ({ files }: Finished) => {
  for (const { key, bytes, sha256 } of files) {
    const { content } = await handling.workshop.output(key)
    expect([key, content.length, createHash('sha256').update(content).digest('hex')]).toEqual([
      key,
      bytes,
      sha256,
    ])
  }
}

/** A test pattern and a tone. */
const make = async (tools: MediaTools, name: string, seconds: number, options: readonly string[]) => {
  const path = join(mkdtempSync(join(folder, 'made-')), name)
  const inputs = [`testsrc2=size=160x90:rate=10:duration=${seconds}`, `sine=duration=${seconds}`]
  await execute(
    tools.ffmpeg.path,
    [
      ...['-nostdin', '-v', 'error', ...inputs.flatMap((input) => ['-f', 'lavfi', '-i', input])],
      ...[...encoded.video, ...encoded.audio, '-sc_threshold', '0', ...options, path],
    ],
    { env: tools.env },
  )
  return path
}

/** A file at so many bytes a second, once the first second is there; with ranges and a length, or as a stream without an end. */
const slowly =
  (path: () => string, bytesPerS: number, isFile = true): Parameters<typeof openSite>[0] =>
  (request, response) => {
    const [served, content] = [path(), readFileSync(path())]
    const from = isFile ? Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0) : 0
    const to = content.length - 1
    if (isFile)
      response.writeHead(request.headers.range === undefined ? 200 : 206, {
        ...{ 'accept-ranges': 'bytes', 'content-length': to + 1 - from },
        'content-range': `bytes ${from}-${to}/${content.length}`,
      })
    let at = from
    const timer = setInterval(() => {
      const isOver = at > to || response.destroyed || served !== path()
      if (isOver) {
        clearInterval(timer)
        if (isFile) response.end()
        else response.destroy()
        return
      }
      const size = at === from ? bytesPerS : bytesPerS / 10
      response.write(content.subarray(at, at + size))
      at += size
    }, 100)
  }

/** One line for each picture, by which it is known again. */
const picturesOf = async ({ ffmpeg, env }: MediaTools, path: string): Promise<string[]> => {
  const args = ['-nostdin', '-v', 'error', '-i', path, '-map', '0:v', '-vsync', '0', '-f', 'framemd5', '-']
  const { stdout } = await execute(ffmpeg.path, args, { env })
  return stdout
    .split('\n')
    .flatMap((line) => (/^\d/.test(line) ? [line.split(',').at(-1)?.trim() ?? ''] : []))
}

describe.concurrent.each(allTools)('%s', (_version, tools) => {
  test('a live stream can be played while it is recorded, and has an end after maxDuration', async (context) => {
    const live = later(context, await openLive(tools))
    const job = newJob()
    const attempt = start(job, live.url, { maxDuration: 10 }, tools)
    await segmentsAre(job, 2)
    const early = await playlistOf(job)
    expect(early).toContain('#EXT-X-PLAYLIST-TYPE:EVENT')
    expect(early).not.toContain('#EXT-X-ENDLIST')
    // As whoever comes late to a live stream: the last of it, without waiting for more.
    const [first] = (await stateOf(job)).segments
    const { content } = await handling.workshop.output(`results/${job}/${first?.name}`)
    expect(content[0]).toBe(0x47)

    const finished = expectDone(await attempt.end)
    expect(finished.result).toMatchObject({ end: 'maxDuration', gaps: 0 })
    expect(finished.result.durationS).toBeGreaterThan(9)
    expect(finished.result.durationS).toBeLessThan(11.5)
    expect(await playlistOf(job)).toMatch(/#end maxDuration\n#EXT-X-ENDLIST\n$/)
    expect(await recordingOf(job)).toMatchObject({ end: 'maxDuration', gaps: [] })
    expect(attempt.told.at(-1)?.stage).toBe('record')
    expect(attempt.told.every(({ percent = 0 }) => percent >= 0 && percent <= 99)).toBe(true)
    await expectWhole(finished)
    const { video, audio } = await play(job, tools)
    expect(video?.codec).toBe('h264')
    expect(audio?.codec).toBe('aac')
    // Ten pictures a second, none lost at the seams.
    expect(video?.packets).toBeGreaterThanOrEqual(Math.floor(Number(finished.result.durationS) * 10) - 2)
  })

  test('the end that a stream announces is a success, though it comes before maxDuration', async (context) => {
    const live = later(context, await openLive(tools, { seconds: 20 }))
    const job = newJob()
    const finished = expectDone(await start(job, live.url, { maxDuration: 600 }, tools).end)
    expect(finished.result).toMatchObject({ end: 'ended' })
    expect(finished.result.durationS).toBeGreaterThan(5.5)
    expect(await playlistOf(job)).toContain('#EXT-X-ENDLIST')
  })

  test('cancelled: the segment is finished, and all of it is kept with an end', async (context) => {
    const live = later(context, await openLive(tools))
    const job = newJob()
    const attempt = start(job, live.url, {}, tools)
    await segmentsAre(job, 1)
    attempt.stopping.reason = 'Cancel'
    const before = Date.now()
    attempt.stop()
    const finished = expectDone(await attempt.end)
    expect(Date.now() - before).toBeLessThan(8000)
    expect(finished.result).toMatchObject({ end: 'cancelled' })
    expect(await playlistOf(job)).toMatch(/#end cancelled\n#EXT-X-ENDLIST\n$/)
    await expectWhole(finished)
    expect(Object.keys(await play(job, tools))).toEqual(expect.arrayContaining(['video', 'audio']))
  })

  test('stopped otherwise: no end, and the next attempt goes on in the same playlist after a discontinuity', async (context) => {
    const live = later(context, await openLive(tools))
    const job = newJob()
    // A machine that is busy makes the encoder wait; that is no silence.
    const params = { maxDuration: 18, stallTimeout: 20 }
    const first = start(job, live.url, params, tools)
    await segmentsAre(job, 1)
    const stoppedMs = Date.now()
    first.stopping.reason = 'AttemptTimeout'
    first.stop()
    expect(await first.end).toMatchObject({ code: 'INTERRUPTED', exitCode: 143 })
    const before = await stateOf(job)
    expect(before).toMatchObject({ end: undefined })
    expect(await recordingOf(job)).toMatchObject({ end: null, segments: before.segments.length })

    await sleep(2500)
    const second = start(job, live.url, params, tools, 2)
    const finished = expectDone(await second.end)
    const endedMs = Date.now()
    const after = await stateOf(job)
    expect(after.segments.slice(0, before.segments.length)).toEqual(before.segments)
    expect(new Set(after.segments.map(({ name }) => name)).size).toBe(after.segments.length)
    expect(after.segments[before.segments.length]?.name).toMatch(/-1-2\.ts$/)
    expect((await playlistOf(job)).split('#EXT-X-DISCONTINUITY')).toHaveLength(2)
    const { gaps } = await recordingOf(job)
    expect(gaps).toMatchObject([{ before: after.segments[before.segments.length]?.name }])
    // As long as nothing was recorded, but for the segment of the past that it begins again with.
    expect(gaps[0]?.lengthS).toBeLessThan((endedMs - stoppedMs) / 1000 - (await afterGapS(job)) + 3)
    // What is missing counts as well: the recording does not last longer for it.
    const lastedS = Number(finished.result.durationS) + (gaps[0]?.lengthS ?? 0)
    expect(lastedS).toBeGreaterThan(16.5)
    // But for what it takes to begin again, which no clock here may judge: 18 s of stream would be there otherwise.
    expect(finished.result.durationS).toBeLessThan(17.5)
    await expectWhole(finished)
    expect(finished.files.filter(({ role }) => role === 'segment')).toHaveLength(after.segments.length)
    expect((await play(job, tools)).video?.packets).toBeGreaterThan(Number(finished.result.durationS) * 9)
  })

  test('killed in the middle of a segment: nothing is lost but that one', async (context) => {
    const live = later(context, await openLive(tools))
    const job = newJob()
    const first = start(job, live.url, { maxDuration: 12 }, tools)
    await segmentsAre(job, 1)
    first.kill()
    await first.end
    const before = await stateOf(job)
    const finished = expectDone(await start(job, live.url, { maxDuration: 12 }, tools, 2).end)
    const after = await stateOf(job)
    expect(after.segments.slice(0, before.segments.length)).toEqual(before.segments)
    await expectWhole(finished)
  })

  test.for([503, 403])(
    'a source that drops with status %i and comes back is gone on with, and the gap is noted',
    async (status, context) => {
      const radio = later(context, await openRadio(tools))
      const job = newJob()
      const attempt = start(job, radio.url, { maxDuration: 14 }, tools)
      await segmentsAre(job, 1)
      const droppedMs = Date.now()
      radio.drop(status)
      await sleep(2000)
      radio.serve()
      const finished = expectDone(await attempt.end)
      const endedMs = Date.now()
      expect(finished.result).toMatchObject({ end: 'maxDuration', gaps: 1 })
      const { gaps } = await recordingOf(job)
      const gapS = gaps[0]?.lengthS ?? 0
      expect(gapS).toBeGreaterThan(1)
      // It counts as time of the recording, however long the way back takes; what ffmpeg needs to open the source comes on top.
      expect(gapS + Number(finished.result.durationS)).toBeGreaterThan(11)
      expect(finished.result.durationS).toBeLessThan(13)
      expect(gapS).toBeLessThan((endedMs - droppedMs) / 1000 - (await afterGapS(job)) + 2)
      expect((await play(job, tools)).audio?.codec).toBe('mp3')
    },
  )

  test('a radio that falls silent is an error, and what was recorded stays for the next attempt', async (context) => {
    const radio = later(context, await openRadio(tools))
    const job = newJob()
    const attempt = start(job, radio.url, { maxDuration: 60, onSourceLost: 'finish' }, tools)
    await segmentsAre(job, 1)
    radio.silence(true)
    expect(await attempt.end).toMatchObject({ code: 'SOURCE_STALLED', exitCode: 75 })
    expect((await stateOf(job)).segments.length).toBeGreaterThan(0)
    expect(await playlistOf(job)).not.toContain('#EXT-X-ENDLIST')
    radio.silence(false)
    const next = start(job, radio.url, { maxDuration: 600 }, tools, 2)
    await segmentsAre(job, (await stateOf(job)).segments.length + 1)
    next.stopping.reason = 'Cancel'
    next.stop()
    expect(expectDone(await next.end).result).toMatchObject({ end: 'cancelled', gaps: 1 })
  })

  test('RTMP, by its name, through a port of ours', async (context) => {
    const studio = later(context, await openStudioLine(tools))
    const job = newJob()
    // An encoder of a busy machine takes its time until it serves.
    const params = { maxDuration: 6, stallTimeout: 20, giveUpAfter: 30 }
    const finished = expectDone(await start(job, studio.url, params, tools).end)
    expect(finished.result).toMatchObject({ end: 'maxDuration' })
    const { video, audio } = await play(job, tools)
    expect([video?.codec, audio?.codec]).toEqual(['h264', 'aac'])
    expect(video?.packets).toBeGreaterThan(45)
  })

  test('stopped while the source is silent: what came until then is kept', async (context) => {
    const radio = later(context, await openRadio(tools))
    const job = newJob()
    const attempt = start(job, radio.url, { maxDuration: 60, stallTimeout: 30 }, tools)
    await segmentsAre(job, 1)
    radio.silence(true)
    await sleep(1000)
    const before = totalsOf((await stateOf(job)).segments).recordedS
    attempt.stopping.reason = 'Cancel'
    attempt.stop()
    const finished = expectDone(await attempt.end)
    expect(finished.result).toMatchObject({ end: 'cancelled' })
    expect(finished.result.durationS).toBeGreaterThan(before)
    await expectWhole(finished)
  })

  test('a live playlist that is served on and on without anything new is stalled as well', async (context) => {
    const live = later(context, await openLive(tools))
    const job = newJob()
    const attempt = start(job, live.url, { maxDuration: 60 }, tools)
    await segmentsAre(job, 1)
    live.freeze()
    expect(await attempt.end).toMatchObject({ code: 'SOURCE_STALLED' })
  })

  test('a radio that is silent until maxDuration has passed is an error, not a short success', async (context) => {
    const radio = later(context, await openRadio(tools))
    const attempt = start(newJob(), radio.url, { maxDuration: 10, giveUpAfter: 600 }, tools)
    await until('it to be recorded', () => attempt.told.length > 0)
    radio.silence(true)
    expect(await attempt.end).toMatchObject({
      code: 'SOURCE_STALLED',
      message: expect.stringContaining('nothing new until maxDuration had passed'),
    })
  })

  test('a live playlist that stands still until then is an error for every attempt, unless there is time again', async (context) => {
    const live = later(context, await openLive(tools))
    const job = newJob()
    const params = { maxDuration: 12, giveUpAfter: 600 }
    const attempt = start(job, live.url, params, tools)
    await segmentsAre(job, 1)
    live.freeze()
    expect(await attempt.end).toMatchObject({ code: 'SOURCE_STALLED' })
    expect(await start(job, live.url, params, tools, 2).end).toMatchObject({ code: 'SOURCE_STALLED' })
    live.thaw()
    const more = start(job, live.url, { ...params, maxDuration: 600 }, tools, 3)
    await segmentsAre(job, (await stateOf(job)).segments.length + 1)
    expect((await stateOf(job)).isSilent).toBeUndefined()
    more.stopping.reason = 'Cancel'
    more.stop()
    expect(expectDone(await more.end).result).toMatchObject({ end: 'cancelled', gaps: 1 })
  })

  test('a source that ended is complete, however long its last segment takes to go up', async (context) => {
    const live = later(context, await openLive(tools, { seconds: 5 }))
    const slow: Work['storage'] = {
      ...handling.storage,
      upload: async (...args) => {
        if (String(args[1]).includes('/segments/')) await sleep(6500)
        return handling.storage.upload(...args)
      },
    }
    const params = { maxDuration: 60, segmentSeconds: 10, giveUpAfter: 5 }
    const finished = expectDone(await start(newJob(), live.url, params, tools, 1, slow).end)
    expect(finished.result).toMatchObject({ end: 'ended', segments: 1, gaps: 0 })
  })

  test.for([
    ['fail', 503, { code: 'SOURCE_LOST', exitCode: 75 }],
    ['finish', 503, { result: { end: 'gone' } }],
    ['fail', 404, { result: { end: 'gone' } }],
    ['finish', 403, { code: 'SOURCE_FORBIDDEN', exitCode: 77 }],
  ] as const)(
    'a source that stays away (onSourceLost %s, status %i) ends so',
    async ([onSourceLost, status, said], context) => {
      const radio = later(context, await openRadio(tools))
      const job = newJob()
      const attempt = start(job, radio.url, { maxDuration: 600, onSourceLost }, tools)
      await segmentsAre(job, 1)
      radio.drop(status)
      expect(await attempt.end).toMatchObject(said)
    },
  )

  test('a file that is interrupted again and again comes whole', async (context) => {
    const path = await make(tools, 'file.mp4', 20, ['-g', '50', '-bf', '2'])
    const site = later(context, await openSite(slowly(() => path, 60_000)))
    const job = newJob()
    let attempts = 0
    let end: Finished | WorkerError
    do {
      attempts += 1
      const before = (await playlistOf(job)).split('#EXTINF').length - 1
      const attempt = start(job, `${site.url}/file.mp4`, {}, tools, attempts)
      await Promise.race([attempt.end, segmentsAre(job, before + 1)])
      attempt.stop()
      end = await attempt.end
    } while (end instanceof WorkerError && end.code === 'INTERRUPTED' && attempts < 8)
    expect(expectDone(end).result).toMatchObject({ end: 'ended' })
    expect(attempts).toBeGreaterThan(2)
    const pictures: string[] = []
    for (const { name } of (await stateOf(job)).segments) {
      const file = join(folder, `${job}-${name.replace('/', '-')}`)
      writeFileSync(file, (await handling.workshop.output(`results/${job}/${name}`)).content)
      pictures.push(...(await picturesOf(tools, file)))
    }
    const wanted = await picturesOf(tools, path)
    expect(wanted).toHaveLength(200)
    expect(wanted.filter((picture) => !pictures.includes(picture))).toEqual([])
  })

  test('a source that comes back with other streams is looked at anew', async (context) => {
    const sound = await make(tools, 'sound.ts', 20, ['-vn'])
    const all = await make(tools, 'all.ts', 20, ['-g', '10'])
    let now = sound
    const site = later(context, await openSite(slowly(() => now, 40_000, false)))
    const job = newJob()
    const attempt = start(job, `${site.url}/live.ts`, { maxDuration: 600, giveUpAfter: 30 }, tools)
    await segmentsAre(job, 1)
    now = all
    await until('it to be gone on with', async () => (await playlistOf(job)).includes('#gap '), 40_000)
    attempt.stopping.reason = 'Cancel'
    attempt.stop()
    expect(expectDone(await attempt.end).result).toMatchObject({ end: 'cancelled' })
    const { segments } = await stateOf(job)
    const { content } = await handling.workshop.output(`results/${job}/${segments.at(-1)?.name}`)
    const file = join(folder, `${job}-last.ts`)
    writeFileSync(file, content)
    expect(look(tools, file, 'stream=codec_name')).toMatch(/h264/)
  })

  test.for([
    ['', false],
    [', though it is away for a moment then', true],
  ] as const)(
    'a live stream that changes its init section goes on after it, as a player can show it%s',
    async ([, away], context) => {
      const shows = mkdtempSync(join(folder, 'shows-'))
      const pieces = { a: 'size=160x90', b: 'size=320x180' } as const
      for (const [name, size] of Object.entries(pieces))
        await execute(
          tools.ffmpeg.path,
          [
            ...['-nostdin', '-v', 'error', '-f', 'lavfi', '-i', `testsrc2=${size}:rate=10:duration=8`],
            ...[
              ...encoded.video,
              '-f',
              'hls',
              '-hls_time',
              '1',
              '-hls_list_size',
              '0',
              '-hls_segment_type',
              'fmp4',
            ],
            ...[
              '-hls_fmp4_init_filename',
              `${name}.mp4`,
              '-hls_segment_filename',
              join(shows, `${name}%d.m4s`),
            ],
            join(shows, `${name}.m3u8`),
          ],
          { env: tools.env },
        )
      const parts = (['a', 'b'] as const).flatMap((name) =>
        Array.from({ length: 8 }, (_, index) => ({ name, index })),
      )
      const beganMs = Date.now()
      let secondMs = Number.POSITIVE_INFINITY
      let hasChanged = false
      let refusals = away ? 1 : 0
      const site = later(
        context,
        await openSite((request, response) => {
          const file = (request.url ?? '').slice(1)
          if (file !== 'live.m3u8') return void response.end(readFileSync(join(shows, file)))
          // A second show that begins once something of the first is recorded, and stays in the window, however slow this machine is.
          const shown = Math.min(8, 4 + Math.floor((Date.now() - beganMs) / 1000))
          const to = Math.min(parts.length, shown + Math.max(0, Math.floor((Date.now() - secondMs) / 1000)))
          const from = Math.max(0, to - 8)
          if (hasChanged && refusals > 0) {
            refusals -= 1
            return void response.writeHead(503).end()
          }
          hasChanged = to > 8
          const lines = parts
            .slice(from, to)
            .flatMap(({ name, index }, at) => [
              ...(index === 0 ? ['#EXT-X-DISCONTINUITY'] : []),
              ...(index === 0 || at === 0 ? [`#EXT-X-MAP:URI="${name}.mp4"`] : []),
              ...['#EXTINF:1,', `${name}${index}.m4s`],
            ])
          const head = [
            '#EXTM3U',
            '#EXT-X-VERSION:7',
            '#EXT-X-TARGETDURATION:1',
            `#EXT-X-MEDIA-SEQUENCE:${from}`,
          ]
          response.end([...head, ...lines, ...(to === parts.length ? ['#EXT-X-ENDLIST'] : []), ''].join('\n'))
        }),
      )
      const job = newJob()
      const attempt = start(job, `${site.url}/live.m3u8`, { maxDuration: 600 }, tools)
      await segmentsAre(job, 1)
      secondMs = Date.now()
      const finished = expectDone(await attempt.end)
      expect(refusals).toBe(0)
      expect(finished.result).toMatchObject({ end: 'ended', gaps: 1 })
      const shown: { width: number; pictures: number }[] = []
      for (const { name } of (await stateOf(job)).segments) {
        const file = join(folder, `${job}-${name.replace('/', '-')}`)
        writeFileSync(file, (await handling.workshop.output(`results/${job}/${name}`)).content)
        const width = Number(/\d+/.exec(look(tools, file, 'stream=width'))?.[0])
        shown.push({ width, pictures: (await picturesOf(tools, file)).length })
      }
      expect(new Set(shown.map(({ width }) => width))).toEqual(new Set([160, 320]))
      expect(shown).toEqual(shown.toSorted((a, b) => a.width - b.width))
      // Of the second show nothing is missing.
      const second = shown.filter(({ width }) => width === 320)
      expect(second.reduce((total, { pictures }) => total + pictures, 0)).toBe(80)
    },
  )

  test('a source that stays away until maxDuration has passed is whole then: gaps count', async (context) => {
    const radio = later(context, await openRadio(tools))
    const job = newJob()
    const attempt = start(job, radio.url, { maxDuration: 8, giveUpAfter: 600 }, tools)
    await segmentsAre(job, 1)
    radio.drop(503)
    expect(expectDone(await attempt.end).result).toMatchObject({ end: 'maxDuration', gaps: 0 })
    expect(await playlistOf(job)).toMatch(/#end maxDuration\n#EXT-X-ENDLIST\n$/)
  })

  test('a slow file whose key frames are far apart is taken up again: the way there is no silence', async (context) => {
    const path = await make(tools, 'far.mp4', 24, ['-g', '240', '-movflags', '+faststart'])
    const content = readFileSync(path)
    const half = Math.floor(content.length * 0.45)
    const pace: { isSlow: boolean } = { isSlow: false }
    const site = later(
      context,
      await openSite((request, response) => {
        const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
        response.writeHead(206, {
          ...{ 'accept-ranges': 'bytes', 'content-length': content.length - from },
          'content-range': `bytes ${from}-${content.length - 1}/${content.length}`,
        })
        if (!pace.isSlow) return void response.write(content.subarray(from, half))
        // What lies before the place takes more than twice as long as a source may be silent; the rest comes at once.
        let at = from
        const timer = setInterval(() => {
          const to = at < half ? at + half / 110 : content.length
          response.write(content.subarray(at, to))
          at = to
          if (at < content.length && !response.destroyed) return
          clearInterval(timer)
          response.end()
        }, 100)
      }),
    )
    const job = newJob()
    const first = start(job, `${site.url}/far.mp4`, {}, tools)
    await until('it to be recorded', () => first.told.length > 0)
    first.stop()
    expect(await first.end).toMatchObject({ code: 'INTERRUPTED' })
    expect((await stateOf(job)).position).toBeGreaterThan(5)
    pace.isSlow = true
    const finished = expectDone(await start(job, `${site.url}/far.mp4`, {}, tools, 2).end)
    expect(finished.result).toMatchObject({ end: 'ended' })
  })

  test('maxBytes holds a stream that has one key frame only', async (context) => {
    const path = await make(tools, 'far.ts', 20, [
      '-g',
      '9999',
      '-b:v',
      '2M',
      '-minrate',
      '2M',
      '-bufsize',
      '1M',
    ])
    const site = later(context, await openSite(slowly(() => path, 250_000, false)))
    const params = { maxBytes: 1024 ** 2, maxDuration: 60 }
    const { result } = expectDone(await start(newJob(), `${site.url}/live.ts`, params, tools).end)
    expect(result).toMatchObject({ end: 'maxBytes', segments: 1 })
    expect(result.bytes).toBeLessThan(2 * 1024 ** 2)
  })

  test('sound that players do not take becomes AAC', async (context) => {
    const radio = later(context, await openRadio(tools, ['-c:a', 'flac', '-f', 'ogg']))
    const job = newJob()
    const finished = expectDone(await start(job, radio.url, { maxDuration: 4 }, tools).end)
    expect(finished.result).toMatchObject({ end: 'maxDuration' })
    expect((await play(job, tools)).audio?.codec).toBe('aac')
  })
})

describe.concurrent('from the first look', () => {
  let tools: MediaTools
  beforeAll(async () => {
    tools = await npmMediaTools(folder)
  })
  const attempt = async (
    context: Pick<TestContext, 'onTestFinished'>,
    answer: Parameters<typeof openSite>[0],
    params: Partial<RecordParams> = {},
  ) => {
    const site = later(context, await openSite(answer))
    return start(newJob(), `${site.url}/live.m3u8?token=geheim`, { giveUpAfter: 5, ...params }, tools).end
  }

  test.for([
    [404, 'SOURCE_MISSING', 66],
    [410, 'SOURCE_MISSING', 66],
    [403, 'SOURCE_FORBIDDEN', 77],
    [401, 'SOURCE_FORBIDDEN', 77],
    [500, 'SOURCE_UNREACHABLE', 69],
  ] as const)(
    'status %i is %s, exit code %i, and no secret is told',
    async ([status, code, exitCode], context) => {
      const end = await attempt(context, (_request, response) => response.writeHead(status).end())
      expect(end).toMatchObject({ code, exitCode })
      expect(String(end)).not.toContain('geheim')
    },
  )

  test.for([
    ['a page', '<!doctype html><title>Hello</title>'],
    ['an empty playlist with an end', '#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-ENDLIST\n'],
  ] as const)('%s is no stream', async ([_what, body], context) => {
    expect(await attempt(context, (_request, response) => response.end(body))).toMatchObject({
      code: expect.stringMatching(/^SOURCE_(UNSUPPORTED|STALLED|UNREACHABLE)$/),
    })
  })

  test('a server of RTSP that refuses the connection is not reached, which is no judgement of its stream', async () => {
    const site = await openSite(() => undefined)
    await site.close()
    const end = await start(newJob(), `rtsp://127.0.0.1:${site.port}/cam`, { giveUpAfter: 5 }, tools).end
    expect(end).toMatchObject({ code: 'SOURCE_UNREACHABLE', exitCode: 69 })
  })

  test('a segment at a private address ends it at once, whatever came before', async (context) => {
    const end = await attempt(context, (_request, response) =>
      response.end('#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nhttp://169.254.169.254/a.ts\n'),
    )
    expect(end).toMatchObject({ code: 'URL_REFUSED', exitCode: 77 })
    expect(String(end)).toMatch(/169\.254\.169\.254/)
  })

  test('defaults: an hour, and every bound is stated', () => {
    expect(recordParamsSchema.parse({})).toMatchObject({ maxDuration: 3600, onSourceLost: 'fail' })
    expect(recordParamsSchema.safeParse({ maxDuration: 43_201 }).success).toBe(false)
  })
})
