import { describe, expect, test } from 'vitest'
import { recordParamsSchema } from '../../schemas/kinds/record.ts'
import { WorkerError } from '../../worker/errors.ts'
import type { MediaTools } from '../../worker/ffmpeg.ts'
import { oneInit } from '../../worker/net/one-init.ts'
import {
  lengthArguments,
  parseSegmentList,
  probeArguments,
  recordArguments,
} from '../../worker/record/command.ts'
import { howItEnded, type RunFacts, type SourceEnd, whatNext } from '../../worker/record/ending.ts'
import {
  parsePlaylist,
  type RecordedSegment,
  type RecordingState,
  recordedUntilMs,
  recordingOf,
  renderPlaylist,
  segmentName,
  totalsOf,
} from '../../worker/record/playlist.ts'
import { hasNoMore, isAtEnd, positionIn, seekFor } from '../../worker/record/position.ts'
import { openPublisher } from '../../worker/record/publisher.ts'
import { runRecorder } from '../../worker/record/run.ts'
import { appOf } from '../../worker/record/source.ts'
import { planStreams } from '../../worker/record/streams.ts'

// The rules of a recording, each by itself.

const seen = { status: 200, playlistEnded: undefined, isWhole: false, initChanged: false, failure: undefined }
const facts: RunFacts = {
  ...{ exitCode: 0, stalled: false, stderr: '', seen, failure: undefined },
  ...{ isAll: false, isUnfit: false, brought: true },
}

describe('how a run ended', () => {
  test.each<[string, Partial<RunFacts>, SourceEnd]>([
    ['we ended it for its silence', { stalled: true, exitCode: 255 }, 'stalled'],
    [
      'silence comes first, whatever stood in the playlist',
      { stalled: true, seen: { ...seen, playlistEnded: true } },
      'stalled',
    ],
    ['the playlist said its end', { seen: { ...seen, playlistEnded: true } }, 'complete'],
    ['it said so, but ffmpeg failed', { exitCode: 1, seen: { ...seen, playlistEnded: true } }, 'lost'],
    ['a body with a length came whole', { seen: { ...seen, isWhole: true } }, 'complete'],
    [
      'it came whole, and there was nothing in it',
      { seen: { ...seen, isWhole: true }, brought: false },
      'lost',
    ],
    ['a body without a length ended', {}, 'lost'],
    ['it has an end, and that was reached', { isAll: true }, 'complete'],
    ['the end was reached, but ffmpeg failed', { isAll: true, exitCode: 1 }, 'lost'],
    ['its streams cannot be recorded', { isUnfit: true, exitCode: 1 }, 'unsupported'],
    [
      'a segment was forbidden, then nobody answered',
      {
        exitCode: 1,
        seen: { ...seen, status: undefined, failure: 'refused' },
        failure: 'refused',
        stderr: 'HTTP error 403 Forbidden',
      },
      'lost',
    ],
    ['a playlist without an end is served on', { seen: { ...seen, playlistEnded: false } }, 'stalled'],
    ['a playlist, then nobody', { seen: { ...seen, playlistEnded: false, failure: 'refused' } }, 'lost'],
    [
      'it went on with another init section',
      { seen: { ...seen, playlistEnded: false, initChanged: true } },
      'changed',
    ],
    ['404', { exitCode: 1, seen: { ...seen, status: 404 } }, 'missing'],
    ['410', { exitCode: 1, seen: { ...seen, status: 410 } }, 'missing'],
    ['401', { exitCode: 1, seen: { ...seen, status: 401 } }, 'forbidden'],
    ['403', { exitCode: 1, seen: { ...seen, status: 403 } }, 'forbidden'],
    ['503', { exitCode: 1, seen: { ...seen, status: 503 } }, 'lost'],
    [
      'RTSP: 404',
      { exitCode: 1, seen: undefined, stderr: 'method DESCRIBE failed: 404 Not Found' },
      'missing',
    ],
    [
      'RTMP: no such stream',
      { exitCode: 1, seen: undefined, stderr: 'Server error: NetStream.Play.StreamNotFound' },
      'missing',
    ],
    ['RTSP: 401', { exitCode: 1, seen: undefined, stderr: 'failed: 401 Unauthorized' }, 'forbidden'],
    ['RTMP: the line broke', { exitCode: 0, seen: undefined }, 'lost'],
    [
      'nonsense',
      { exitCode: 1, brought: false, stderr: 'Invalid data found when processing input' },
      'unsupported',
    ],
    ['nonsense after it had brought something', { exitCode: 1, stderr: 'Invalid data found' }, 'lost'],
    [
      'nonsense, since nobody answered',
      { exitCode: 1, brought: false, stderr: 'Invalid data found', failure: 'refused' },
      'lost',
    ],
    [
      'RTSP: nobody answered',
      {
        ...{ exitCode: 1, brought: false, seen: undefined, failure: 'refused' },
        stderr: 'rtsp://127.0.0.1:9/a: Invalid data found when processing input',
      },
      'lost',
    ],
  ])('%s', (_what, more, end) => expect(howItEnded({ ...facts, ...more })).toBe(end))
})

describe('what follows', () => {
  const fresh = { recordedS: 100, broughtNow: true, silentMs: 1000, tries: 0, isOver: false }
  const over = { ...fresh, isOver: true }
  const late = { ...fresh, silentMs: 60_000 }
  const empty = { ...late, recordedS: 0, broughtNow: false }
  const params = { giveUpAfter: 60, onSourceLost: 'fail' } as const
  const finishing = { giveUpAfter: 60, onSourceLost: 'finish' } as const
  const again = { do: 'again', waitMs: 500 }
  const failing = (code: string) => ({ do: 'fail', code })
  const finish = (end: string) => ({ do: 'finish', end })

  test.each([
    ['complete', fresh, params, finish('ended')],
    ['complete', empty, params, failing('SOURCE_UNSUPPORTED')],
    ['forbidden', fresh, params, again],
    ['forbidden', late, finishing, failing('SOURCE_FORBIDDEN')],
    ['forbidden', { ...fresh, recordedS: 0 }, params, failing('SOURCE_FORBIDDEN')],
    ['unsupported', empty, params, failing('SOURCE_UNSUPPORTED')],
    ['unsupported', fresh, params, again],
    ['changed', fresh, params, { do: 'again', waitMs: 0 }],
    ['changed', { ...late, tries: 3 }, params, failing('SOURCE_LOST')],
    ['missing', fresh, params, again],
    ['missing', { ...fresh, silentMs: 59_999 }, params, again],
    ['missing', late, params, finish('gone')],
    ['missing', empty, params, failing('SOURCE_MISSING')],
    ['stalled', fresh, params, again],
    ['stalled', late, params, failing('SOURCE_STALLED')],
    ['stalled', late, finishing, failing('SOURCE_STALLED')],
    ['stalled', over, params, failing('SOURCE_STALLED')],
    ['stalled', over, finishing, failing('SOURCE_STALLED')],
    ['lost', fresh, params, again],
    ['lost', late, params, failing('SOURCE_LOST')],
    ['lost', late, finishing, finish('gone')],
    ['lost', empty, finishing, failing('SOURCE_UNREACHABLE')],
    ['lost', { ...late, broughtNow: false }, params, failing('SOURCE_UNREACHABLE')],
  ] as const)('%s, %o, %o', (end, standing, rules, next) =>
    expect(whatNext(end, standing, rules)).toEqual(next),
  )

  test('waits double, up to 5 s', () => {
    const waits = [0, 1, 2, 3, 4, 9].map((tries) => whatNext('lost', { ...fresh, tries }, params))
    expect(waits.map((next) => (next.do === 'again' ? next.waitMs : 0))).toEqual([
      500, 1000, 2000, 4000, 5000, 5000,
    ])
  })
})

describe('which streams', () => {
  const video = (index: number, codec: string, height: number, more = {}) => ({
    ...{ index, codec_type: 'video', codec_name: codec, width: (height * 16) / 9, height },
    ...more,
  })
  const audio = (index: number, codec: string) => ({
    ...{ index, codec_type: 'audio', codec_name: codec, channels: 2 },
  })
  const probed = (streams: object[], programs: object[] = [], format: object = { format_name: 'hls' }) => ({
    format,
    streams,
    programs,
  })

  test.each([
    ['as they are', [video(0, 'h264', 720), audio(1, 'aac')], 0, { index: 1, codec: 'copy' }],
    ['sound alone', [audio(0, 'mp3')], undefined, { index: 0, codec: 'copy' }],
    ['pictures alone', [video(0, 'hevc', 720)], 0, undefined],
    [
      'the largest picture',
      [video(0, 'h264', 360), audio(1, 'aac'), video(2, 'h264', 1080)],
      2,
      { index: 1, codec: 'copy' },
    ],
    [
      'a cover is no picture',
      [audio(0, 'mp3'), video(1, 'mjpeg', 300, { disposition: { attached_pic: 1 } })],
      undefined,
      { index: 0, codec: 'copy' },
    ],
    ['opus becomes AAC', [audio(0, 'opus')], undefined, { index: 0, codec: 'aac' }],
    ['vorbis becomes AAC', [video(0, 'h264', 90), audio(1, 'vorbis')], 0, { index: 1, codec: 'aac' }],
    [
      'a picture that fits beside one that does not',
      [video(0, 'av1', 2160), video(1, 'h264', 1080)],
      1,
      undefined,
    ],
    [
      'sound without channels is none',
      [video(0, 'h264', 90), { ...audio(1, 'aac'), channels: 0 }],
      0,
      undefined,
    ],
  ])('%s', (_what, streams, picture, sound) =>
    expect(planStreams(probed(streams))).toMatchObject({ video: picture, audio: sound, isHls: true }),
  )

  test('the sound of the same variant', () => {
    const streams = [video(0, 'h264', 360), audio(1, 'aac'), video(2, 'h264', 1080), audio(3, 'aac')]
    const programs = [{ streams: [{ index: 0 }, { index: 1 }] }, { streams: [{ index: 2 }, { index: 3 }] }]
    expect(planStreams(probed(streams, programs))).toMatchObject({ video: 2, audio: { index: 3 } })
  })

  test.each([
    ['vp9 and av1', [video(0, 'vp9', 720), audio(1, 'opus')], /vp9; h264, hevc/],
    ['nothing', [], /neither video nor audio/],
    ['subtitles alone', [{ index: 0, codec_type: 'subtitle', codec_name: 'webvtt' }], /neither/],
  ])('%s cannot be recorded', (_what, streams, why) =>
    expect(() => planStreams(probed(streams))).toThrow(why),
  )

  test('whatever ffprobe says: a plan or a refusal', () => {
    for (const json of [null, 3, {}, { format: 1 }, { format: { format_name: 3 }, streams: 'x' }])
      expect(() => planStreams(json)).toThrow(WorkerError)
    const rtmp = { format: { format_name: 'flv', duration: '0.000' }, streams: [audio(0, 'aac')] }
    expect(planStreams(rtmp)).toMatchObject({ isHls: false, durationS: undefined })
    expect(
      planStreams(probed([audio(0, 'aac')], [], { format_name: 'mp3', duration: '12.5' })),
    ).toMatchObject({
      durationS: 12.5,
    })
  })
})

describe('command lines', () => {
  const plan = {
    video: 0,
    audio: { index: 1, codec: 'copy' },
    isHls: true,
    seeksAnywhere: false,
    durationS: undefined,
  } as const
  const command = {
    source: { kind: 'http', url: 'http://h.example.tls.invalid:443/live.m3u8' },
    plan,
    hlsOptions: [],
    lengthS: 60,
    fromS: 0,
    liveStartIndex: undefined,
    segmentSeconds: 6,
    segmentWaitUs: 10e6,
    folder: '/scratch/segments',
  } as const

  test('a look at a source of HLS, with what a version needs', () =>
    expect(probeArguments(command.source, ['-extension_picky', '0']).join(' ')).toBe(
      [
        '-v error -protocol_whitelist http,tcp,crypto',
        '-format_whitelist hls,mpegts,mov,mp4,aac,mp3,ogg,flac,flv,matroska,webm -max_alloc 1073741824',
        '-extension_picky 0 -of json -show_format -show_streams -show_programs',
        'http://h.example.tls.invalid:443/live.m3u8',
      ].join(' '),
    ))

  test('a look at a segment of ours: as a transport stream, and at nothing but its length', () =>
    expect(lengthArguments('/scratch/a b.ts')).toEqual([
      ...['-v', 'error', '-f', 'mpegts', '-show_entries', 'format=duration', '-of', 'csv=p=0'],
      '/scratch/a b.ts',
    ]))

  test('a live stream of HLS', () => {
    expect(recordArguments(command).join(' ')).toBe(
      [
        '-y -hide_banner -v warning -nostats -stats_period 0.5 -progress pipe:1',
        '-protocol_whitelist http,tcp,crypto',
        '-format_whitelist hls,mpegts,mov,mp4,aac,mp3,ogg,flac,flv,matroska,webm -max_alloc 1073741824',
        '-max_reload 100000 -http_multiple 0 -rw_timeout 10000000',
        '-i http://h.example.tls.invalid:443/live.m3u8 -t 60.000',
        '-map 0:0 -c:v copy -map 0:1 -c:a copy -map_metadata -1 -max_muxing_queue_size 4096',
        '-f segment -segment_format mpegts -segment_time 6 -individual_header_trailer 0 -segment_list /scratch/segments/segments.csv',
        '-segment_list_type csv -segment_list_flags live -segment_list_size 0 /scratch/segments/%06d.ts',
      ].join(' '),
    )
  })

  test.each([
    ['taken up again, it begins at its end', { liveStartIndex: -1 }, '-live_start_index -1'],
    [
      'what has an end is taken up where it was left',
      { fromS: 12.5, plan: { ...plan, durationS: 60 } },
      '-ss 12.500 -i',
    ],
    [
      'what has an end is timed from there',
      { fromS: 12.5, plan: { ...plan, durationS: 60 } },
      '-c:a copy -avoid_negative_ts disabled -map_metadata',
    ],
    [
      'sound that does not fit',
      { plan: { ...plan, audio: { index: 1, codec: 'aac' } } },
      '-c:a aac -b:a 128k -ac 2',
    ],
    ['what a version needs', { hlsOptions: ['-extension_picky', '0'] }, '-extension_picky 0 -max_reload'],
    [
      'RTMP',
      {
        source: { kind: 'rtmp', url: 'rtmp://127.0.0.1:9/a/b', tcUrl: 'rtmps://h/a' },
        plan: { ...plan, isHls: false },
      },
      '-protocol_whitelist rtmp,tcp -format_whitelist flv,live_flv -max_alloc 1073741824 -rtmp_live live -rtmp_tcurl rtmps://h/a -i rtmp://127.0.0.1:9/a/b',
    ],
    [
      'RTSP, by TCP alone',
      { source: { kind: 'rtsp', url: 'rtsp://127.0.0.1:9/a' }, plan: { ...plan, isHls: false } },
      '-protocol_whitelist tcp -format_whitelist rtsp -max_alloc 1073741824 -rtsp_transport tcp -i',
    ],
  ] as const)('%s', (_what, more, part) =>
    expect(
      recordArguments({ ...command, ...more } as Parameters<typeof recordArguments>[0]).join(' '),
    ).toContain(part),
  )

  test('the guard stands before every input, and names nothing by which a playlist could go around the proxy', () => {
    for (const args of [recordArguments(command), probeArguments(command.source)]) {
      const protocols = args[args.indexOf('-protocol_whitelist') + 1]?.split(',') ?? []
      for (const name of ['httpproxy', 'https', 'tls', 'data', 'file', 'udp', 'rtp', 'rtmp', 'concat'])
        expect(protocols).not.toContain(name)
      expect(args.indexOf('-protocol_whitelist')).toBeLessThan(args.indexOf(command.source.url))
      expect(args.indexOf('-format_whitelist')).toBeLessThan(args.indexOf(command.source.url))
    }
  })

  test.each([
    ['/app/key', 'app'],
    ['/app/instance/key?a=/b', 'app/instance'],
    ['/app', 'app'],
    ['/', ''],
  ])('the application of RTMP in %s is "%s"', (path, app) => expect(appOf(path)).toBe(app))

  test('a line of the list that is not whole is no segment yet', () => {
    expect(parseSegmentList('000000.ts,0.000000,6.006000\n000001.ts,6.006000,12.0')).toEqual([
      { file: '000000.ts', durationS: 6.006, endS: 6.006 },
    ])
    expect(parseSegmentList('')).toEqual([])
    expect(parseSegmentList('x\n../a.ts,0,1\n000000.ts,3.0,2.0\n')).toEqual([
      { file: '000000.ts', durationS: 0, endS: 2 },
    ])
  })
})

const sha = 'a'.repeat(64)
const segment = (number: number, more: Partial<RecordedSegment> = {}): RecordedSegment => ({
  name: segmentName(number, 'uid/1/1'),
  durationS: 6,
  bytes: 1000,
  sha256: sha,
  ...more,
})
const state: RecordingState = {
  owner: 'uid',
  segments: [
    segment(0, { start: { at: '2026-11-22T10:00:00.000Z', gapS: 0 } }),
    segment(1),
    segment(2, { name: segmentName(2, 'uid/2/3'), start: { at: '2026-11-22T10:00:20.500Z', gapS: 8.5 } }),
  ],
  end: undefined,
}

describe('the playlist', () => {
  test('is one that players know, and says in comments what the next attempt needs', () => {
    expect(renderPlaylist({ ...state, end: 'cancelled' }, 6)).toBe(
      [
        '#EXTM3U',
        '#EXT-X-VERSION:6',
        '#EXT-X-PLAYLIST-TYPE:EVENT',
        '#EXT-X-TARGETDURATION:12',
        '#EXT-X-MEDIA-SEQUENCE:0',
        '#EXT-X-INDEPENDENT-SEGMENTS',
        '#recording uid',
        '#EXT-X-PROGRAM-DATE-TIME:2026-11-22T10:00:00.000Z',
        `#file 1000 ${sha}`,
        '#EXTINF:6.000000,',
        'segments/000000-1-1.ts',
        `#file 1000 ${sha}`,
        '#EXTINF:6.000000,',
        'segments/000001-1-1.ts',
        '#EXT-X-DISCONTINUITY',
        '#gap 8.500',
        '#EXT-X-PROGRAM-DATE-TIME:2026-11-22T10:00:20.500Z',
        `#file 1000 ${sha}`,
        '#EXTINF:6.000000,',
        'segments/000002-2-3.ts',
        '#end cancelled',
        '#EXT-X-ENDLIST',
        '',
      ].join('\n'),
    )
  })

  test.each([
    ['empty', { ...state, segments: [] }],
    ['under way', state],
    ['finished', { ...state, end: 'maxDuration' as const }],
    ['of a live source', { ...state, position: 'live' as const }],
    ['of a source that has an end', { ...state, position: 17.25 }],
    ['of a source that fell silent', { ...state, position: 'live' as const, isSilent: true }],
  ])('is read as it was written: %s', (_what, one) =>
    expect(parsePlaylist(renderPlaylist(one, 6))).toEqual(one),
  )

  test('what is not all of it is nothing', () => {
    const text = renderPlaylist(state, 6)
    for (const other of [
      '',
      'x',
      text.slice(0, -10),
      text.replace('#EXTM3U', '#EXTM3'),
      text.replace('#recording uid', ''),
      text.replace('segments/000001-1-1.ts', '../000001.ts'),
      text.replace(`#file 1000 ${sha}\n`, ''),
      `${text}more\n`,
    ])
      expect(parsePlaylist(other), other).toBeUndefined()
  })

  test('sums, the time of its end, and what is told of it', () => {
    expect(totalsOf(state.segments)).toEqual({ recordedS: 18, gapS: 8.5, bytes: 3000 })
    expect(recordedUntilMs(state.segments)).toBe(Date.parse('2026-11-22T10:00:26.500Z'))
    expect(recordedUntilMs([])).toBeUndefined()
    expect(recordingOf(state, 'http://h/', '2026-11-22T11:00:00.000Z')).toMatchObject({
      startedAt: '2026-11-22T10:00:00.000Z',
      end: null,
      durationS: 18,
      segments: 3,
      gaps: [{ before: 'segments/000002-2-3.ts', startedAt: '2026-11-22T10:00:12.000Z', lengthS: 8.5 }],
    })
  })
})

test('a program that cannot be started is an error of its run, and of nothing else', async () => {
  const { signal } = new AbortController()
  const nothing = async () => undefined
  const [ffmpeg, ffprobe] = ['/nonexistent/ffmpeg', '/nonexistent/ffprobe'].map((path) => ({
    path,
    version: '0',
  })) as [MediaTools['ffmpeg'], MediaTools['ffprobe']]
  const ports = { cut: nothing, onSegment: nothing, onOpen: nothing, onMedia: nothing }
  const tools: MediaTools = { ffmpeg, ffprobe, toneMaps: false, env: {} }
  // An error that nobody waits for would end the worker, and this file.
  await expect(
    runRecorder([], {
      ...ports,
      tools,
      env: {},
      folder: '/nonexistent',
      stop: signal,
      signal,
      stallMs: 5000,
      nowMs: Date.now,
    }),
  ).rejects.toThrow(/ENOENT/)
})

describe('one init section a run', () => {
  const part = (name: string) => `#EXTINF:1,\n${name}.m4s\n`
  const map = (name: string) => `#EXT-X-DISCONTINUITY\n#EXT-X-MAP:URI="${name}"\n`
  const list = (sequence: number, body: string) =>
    `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:${sequence}\n${body}`
  const before = list(7, `${map('a?t=1')}${part('a7')}${part('a8')}`)
  const both = list(8, `${map('a?t=2')}${part('a8')}${part('a9')}${map('b')}${part('b10')}`)
  const init = { map: 'a ', sequence: 7 }

  test('a live playlist with one is left as it is, whatever token it has', () => {
    expect(oneInit(before, undefined)).toEqual({ text: before, init, isOther: false })
    expect(oneInit(before.replace('t=1', 't=9'), init)).toMatchObject({ init, isOther: false })
    const plain = list(7, part('x'))
    expect(oneInit(plain, undefined)).toMatchObject({ text: plain, isOther: false })
  })

  test('what comes with another one is left out, and the list ends before it', () => {
    expect(oneInit(both, init)).toEqual({
      text: `${list(8, `${map('a?t=2')}${part('a8')}${part('a9')}`)}#EXT-X-ENDLIST\n`,
      init,
      isOther: true,
    })
    const gone = oneInit(list(10, `${map('b')}${part('b10')}`), init)
    expect(gone).toMatchObject({ isOther: true, text: expect.stringMatching(/ENDLIST\n$/) })
    expect(gone.text).not.toContain('b10')
  })

  test('a run begins with the last of them, and numbers stay true', () => {
    const { text, ...rest } = oneInit(both, undefined)
    expect(rest).toEqual({ init: { map: 'b ', sequence: 10 }, isOther: false })
    expect(text).toContain('#EXT-X-MEDIA-SEQUENCE:10\n')
    expect(text.split('\n').filter((line) => line.endsWith('.m4s'))).toEqual(['b10.m4s'])
  })

  test('two of them that begin alike, up to a comma, are two', () => {
    const alike = (name: string) => `/show_,300,500,.csmil/${name}.mp4`
    const known = oneInit(list(7, `${map(alike('a'))}${part('a7')}`), undefined).init
    const changed = list(7, `${map(alike('a'))}${part('a7')}${map(alike('b'))}${part('b8')}`)
    expect(oneInit(changed, known)).toMatchObject({ isOther: true, text: expect.not.stringContaining('b8') })
  })

  test('a list that is whole by now, and was live, begins with the last of them like any live one', () => {
    const { text, ...rest } = oneInit(`${both}#EXT-X-ENDLIST\n`, undefined, true)
    expect(rest).toEqual({ init: { map: 'b ', sequence: 10 }, isOther: false })
    expect(text).toContain('#EXT-X-MEDIA-SEQUENCE:10\n')
    expect(text).toMatch(/\n#EXTINF:1,\nb10\.m4s\n#EXT-X-ENDLIST\n$/)
    expect(text).not.toContain('a9.m4s')
  })

  test('a list that is whole is left as it is; one that counts anew is begun anew', () => {
    const whole = `${both}#EXT-X-ENDLIST\n`
    expect(oneInit(whole, undefined)).toMatchObject({ text: whole, isOther: false })
    expect(oneInit(list(0, `${map('a')}${part('a0')}`), init)).toMatchObject({
      init: { map: 'a ', sequence: 0 },
      isOther: false,
    })
  })
})

describe('where a source is gone on with', () => {
  const untilMs = Date.parse('2026-11-22T10:00:26.500Z')
  const stream = { video: 0, audio: undefined, isHls: true, seeksAnywhere: false }
  const whole = { ...stream, durationS: 3600 }
  const at = (position: RecordingState['position'], durationS: number | undefined, laterS = 0) =>
    positionIn({ ...state, position }, { ...stream, durationS }, untilMs + laterS * 1000)

  test.each([
    ['a live one is taken as it comes', at('live', undefined), 0],
    ['one with an end, where it was left, whatever stands twice', at(17.25, 3600, 500), 17.25],
    ['one of a worker that did not say where', at(undefined, 3600, 500), 18],
    [
      'live then, ended by now: so long before its end as it was missed, and 20 s',
      at('live', 3600, 500),
      3080,
    ],
    ['live then, and shorter than what was missed', at('live', 300, 500), 0],
  ])('%s', (_what, seconds, expected) => expect(seconds).toBe(expected))

  test('of which nothing was recorded, from the beginning', () =>
    expect(positionIn({ ...state, segments: [], position: undefined }, whole, untilMs)).toBe(0))

  test('a seek is never later than that, and early enough for pictures', () => {
    expect(seekFor(12.3456, whole)).toBe(12.345)
    expect(seekFor(12.3456, { ...whole, audio: { index: 1, codec: 'copy' } })).toBe(11.345)
    expect(seekFor(12.3456, { ...whole, seeksAnywhere: true })).toBe(2.345)
    expect(seekFor(3, { ...whole, seeksAnywhere: true })).toBe(0)
  })

  test('what was recorded to its end is not begun anew', () => {
    expect([3599.6, 3599].map((seconds) => hasNoMore(seconds, whole))).toEqual([true, false])
    expect(hasNoMore(3599.6, { ...whole, isHls: false })).toBe(false)
    expect(isAtEnd({ ...state, position: 3599.2 }, whole)).toBe(true)
    expect(isAtEnd({ ...state, position: 'live' }, whole)).toBe(false)
    expect(isAtEnd({ ...state, position: 3000 }, whole)).toBe(false)
  })
})

describe('several tasks and one playlist', () => {
  /** One object as S3 keeps it: written on condition of its etag only. */
  const openShelf = () => {
    const shelf = { text: undefined as string | undefined, etag: 0, lose: 0, writes: 0 }
    const storage = {
      readText: async () =>
        shelf.text === undefined ? undefined : { text: shelf.text, etag: String(shelf.etag) },
      replaceText: async (text: string, _key: string, over: string | undefined) => {
        const isThat = shelf.text === undefined ? over === undefined : over === String(shelf.etag)
        if (!isThat) return undefined
        shelf.text = text
        shelf.etag += 1
        shelf.writes += 1
        if (shelf.lose === 0) return String(shelf.etag)
        // The answer is lost, and the client asks again: it finds its own.
        shelf.lose -= 1
        return undefined
      },
    }
    return { shelf, storage }
  }
  const open = (
    storage: ReturnType<typeof openShelf>['storage'],
    confirm = async () => undefined as unknown,
  ) =>
    openPublisher({
      storage,
      key: 'k',
      owner: 'uid',
      segmentSeconds: 6,
      confirm,
      signal: new AbortController().signal,
    })
  const fencedOut = async () => {
    throw new WorkerError('FENCED_OUT')
  }
  const names = (text = '') => parsePlaylist(text)?.segments.map(({ name }) => name)

  test('a task that was replaced cannot write over its successor, and stops', async () => {
    const { shelf, storage } = openShelf()
    const zombie = await open(storage, fencedOut)
    await zombie.append(segment(0))
    const successor = await open(storage)
    await successor.append(segment(1))
    await expect(zombie.append(segment(1, { name: segmentName(1, 'uid/9/9') }))).rejects.toMatchObject({
      code: 'FENCED_OUT',
    })
    await expect(zombie.end('cancelled')).rejects.toMatchObject({ code: 'FENCED_OUT' })
    expect(names(shelf.text)).toEqual(['segments/000000-1-1.ts', 'segments/000001-1-1.ts'])
    expect(parsePlaylist(shelf.text ?? '')?.end).toBeUndefined()
  })

  test('what the one before wrote last is not lost', async () => {
    const { shelf, storage } = openShelf()
    const zombie = await open(storage)
    await zombie.append(segment(0))
    const successor = await open(storage)
    await zombie.append(segment(1))
    await successor.append(segment(1, { name: segmentName(1, 'uid/2/2') }))
    expect(names(shelf.text)).toEqual([
      'segments/000000-1-1.ts',
      'segments/000001-1-1.ts',
      'segments/000001-2-2.ts',
    ])
    expect(successor.state().segments).toHaveLength(3)
  })

  test('where a source is by the end of the last segment is known to the next task', async () => {
    const { storage } = openShelf()
    await (await open(storage)).append(segment(0), 6.25)
    expect((await open(storage)).state().position).toBe(6.25)
  })

  test('its own write, whose answer got lost, counts once', async () => {
    const { shelf, storage } = openShelf()
    const publisher = await open(storage)
    await publisher.append(segment(0))
    shelf.lose = 1
    await publisher.append(segment(1))
    await publisher.append(segment(2))
    expect(names(shelf.text)).toHaveLength(3)
    expect(shelf.writes).toBe(3)
  })

  test('goes on in what the same job left, also after an end; what another job left is begun anew', async () => {
    const { shelf, storage } = openShelf()
    const first = await open(storage)
    await first.append(segment(0))
    await first.end('cancelled')
    expect((await open(storage)).state()).toMatchObject({ end: undefined, segments: [segment(0)] })
    shelf.text = shelf.text?.replace('#recording uid', '#recording other')
    const other = await open(storage)
    expect(other.state().segments).toEqual([])
    await other.append(segment(0))
    expect(parsePlaylist(shelf.text ?? '')?.owner).toBe('uid')
    shelf.text = 'nonsense'
    expect((await open(storage)).state().segments).toEqual([])
  })
})

describe('parameters', () => {
  test.each([
    ['maxDuration', 1, 43_200],
    ['segmentSeconds', 2, 30],
    ['stallTimeout', 5, 600],
    ['giveUpAfter', 5, 3600],
    ['maxBytes', 1024 ** 2, 1024 ** 4],
  ])('%s is %i to %i', (name, min, max) => {
    for (const value of [min, max]) expect(recordParamsSchema.safeParse({ [name]: value }).success).toBe(true)
    for (const value of [min - 1, max + 1, 7.5, '7'])
      expect(recordParamsSchema.safeParse({ [name]: value }).success).toBe(false)
  })
})
