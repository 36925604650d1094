import { describe, expect, test } from 'vitest'
import { audioArguments, type Plan, planTranscode } from '../../worker/media/command.ts'
import type { Source } from '../../worker/media/gate.ts'
import type { Ratio } from '../../worker/media/probe.ts'
import {
  shardArguments,
  shardCpuLimitS,
  shardList,
  soundArguments,
  stitchArguments,
} from '../../worker/media/shards-command.ts'
import { inspectArguments, type PieceStream, shardProblem } from '../../worker/media/shards-inspect.ts'
import { planShards, shardCount, shardFramesOf, whyWhole } from '../../worker/media/shards-plan.ts'
import { type Timeline, timelineArguments, timelineReader } from '../../worker/media/shards-timeline.ts'
import { shardParams } from './sharding.ts'

// The parts that decide, as tables: how a video is cut, what ffmpeg is told, and what is read out of its answers.

const rate25: Ratio = { num: 25, den: 1 }
const ntsc: Ratio = { num: 30_000, den: 1001 }

const source = (video: Partial<Source['video']> = {}, more: Partial<Source> = {}): Source => ({
  container: 'mov,mp4,m4a,3gp,3g2,mj2',
  bytes: 1e6,
  durationS: 12,
  streams: [],
  audio: { index: 1, codec: 'aac', channels: 2, sampleRateHz: 48_000, startS: 0, endS: 12 },
  video: {
    index: 0,
    codec: 'h264',
    pixelFormat: 'yuv420p',
    codedWidth: 320,
    codedHeight: 180,
    rotationDegrees: 0,
    sampleAspectRatio: { num: 1, den: 1 },
    width: 320,
    height: 180,
    averageRate: rate25,
    nominalRate: rate25,
    variableFrameRate: false,
    interlaced: false,
    hdr: 'none',
    color: { primaries: 'bt709', matrix: 'bt709', range: 'tv', transfer: 'bt709' },
    endS: 12,
    ...video,
  },
  ...more,
})

/** Frames at equal distances, with a key frame every second, stored two frames before they are shown. */
const timeline = (
  frames: number,
  rate: Ratio = rate25,
  more: Partial<Timeline> & { fromS?: number } = {},
) => {
  const { fromS = 0, ...rest } = more
  const shownS = Array.from({ length: frames }, (_, index) => fromS + (index * rate.den) / rate.num)
  const keys = shownS
    .filter((_, index) => index % Math.round(rate.num / rate.den) === 0)
    .map((timeS) => ({ shownS: timeS, storedS: timeS - 0.08 }))
  return { startS: 0, shownS, keys, beginsWithKey: true, fault: undefined, ...rest }
}

const plan = (from: Source = source(), params = shardParams()): Plan => planTranscode(from, params, true)

describe('how long a shard is', () => {
  const rows: [
    what: string,
    frames: number,
    rate: Ratio,
    seconds: number,
    shardFrames: number,
    count: number,
  ][] = [
    ['a multiple of the distance of key frames', 300, rate25, 4, 100, 3],
    ['5 minutes of a film of 2 hours', 7200 * 25, rate25, 300, 7500, 24],
    ['the nearest multiple, not the next one', 300, rate25, 5, 150, 2],
    ['at least one distance', 300, rate25, 2, 50, 6],
    ['of 29.97 in whole frames', 359, ntsc, 4, 120, 3],
    ['just under half a shard is left: it joins the last one', 349, rate25, 4, 100, 3],
    ['half a shard is left: it is one of its own', 350, rate25, 4, 100, 4],
    ['a day: 120 shards, however long', 86_400 * 60, { num: 60, den: 1 }, 300, 43_200, 120],
    ['short ones of a long film are made longer', 86_400 * 25, rate25, 2, 18_000, 120],
    ['nothing to cut', 100, rate25, 300, 7500, 1],
  ]
  test.each(rows)('%s', (_, frames, rate, seconds, shardFrames, count) => {
    expect(shardFramesOf(frames, rate, seconds)).toBe(shardFrames)
    expect(shardCount(frames, shardFrames)).toBe(count)
  })

  test('there are never more than the parameters of the last step can name', () => {
    for (const frames of [1e4, 123_457, 1e6, 5e6, 5_184_000])
      for (const seconds of [2, 7, 60, 300])
        for (const rate of [rate25, ntsc, { num: 60, den: 1 }, { num: 1, den: 1 }])
          expect(shardCount(frames, shardFramesOf(frames, rate, seconds))).toBeLessThanOrEqual(120)
  })
})

describe('how a video is cut', () => {
  const split = (of: ReturnType<typeof planShards>) => {
    if (of.is !== 'split') throw new Error(of.why)
    return of.split
  }

  test('by the number of the frame, read from before the key frame in front of it', () => {
    expect(split(planShards(source(), plan(), timeline(300)))).toEqual({
      rate: rate25,
      frames: 300,
      shardFrames: 100,
      sound: true,
      shards: [
        { frame: 0, stampS: 0, seekS: 0, repeats: 0 },
        { frame: 100, stampS: 4, seekS: 3.72, repeats: 0 },
        { frame: 200, stampS: 8, seekS: 7.72, repeats: 0 },
      ],
    })
  })

  test('time stamps are those of the file, which need not begin at 0; places are counted from its start', () => {
    const { shards } = split(planShards(source(), plan(), timeline(300, rate25, { startS: 1000 })))
    expect(shards[1]).toEqual({ frame: 100, stampS: 1004, seekS: 3.72, repeats: 0 })
  })

  test('the only key frame is the first one: every shard reads from the beginning', () => {
    const { shards } = split(
      planShards(source(), plan(), timeline(300, rate25, { keys: [{ shownS: 0, storedS: -0.08 }] })),
    )
    expect(shards.map(({ seekS }) => seekS)).toEqual([0, 0, 0])
  })

  test('a picture that comes after the sound stands before its time, and all shards move by that', () => {
    const late = split(planShards(source(), plan(), timeline(288, rate25, { fromS: 0.47 })))
    expect(late).toMatchObject({
      frames: 300,
      shards: [{ frame: 0, repeats: 12 }, { frame: 88 }, { frame: 188 }],
    })
    expect(late.shards[1]?.stampS).toBeCloseTo(0.47 + 88 / 25, 6)
  })

  const third = (timeS: number, index: number) => timeS + (index % 3 === 0 ? 0.3 / 25 : 0)
  const even = timeline(300).shownS
  const rows: [what: string, of: Source, times: Timeline, why: RegExp][] = [
    [
      'pictures at unequal distances',
      source(),
      { ...timeline(300), shownS: even.map(third) },
      /equal distances/,
    ],
    [
      'one picture missing in the middle',
      source(),
      { ...timeline(300), shownS: even.toSpliced(150, 1) },
      /equal/,
    ],
    ['times that drift', source(), { ...timeline(300), shownS: even.map((timeS) => timeS * 1.002) }, /equal/],
    [
      'a first picture half a frame late',
      source(),
      timeline(300, rate25, { fromS: 0.0195 }),
      /equal distances/,
    ],
    ['no pictures', source(), timeline(0), /no pictures/],
    [
      'a first picture that needs others',
      source(),
      { ...timeline(300), beginsWithKey: false },
      /whole picture/,
    ],
    ['damaged packets', source(), { ...timeline(300), fault: 'parts of it are damaged' }, /damaged/],
    ['shorter than it says', source(), timeline(200), /shorter or longer/],
    [
      'subtitles that begin before picture and sound',
      source(
        {},
        { audio: { index: 1, codec: 'aac', channels: 2, sampleRateHz: 48_000, startS: 1, endS: 12 } },
      ),
      timeline(275, rate25, { fromS: 1 }),
      /begins before/,
    ],
    ['a picture that comes after a whole shard', source(), timeline(190, rate25, { fromS: 4.4 }), /too late/],
  ]
  test.each(rows)('not at all with %s', (_, of, times, why) => {
    expect(planShards(of, plan(of), times)).toEqual({ is: 'alone', why: expect.stringMatching(why) })
  })

  test('rounded time stamps are equal distances, in milliseconds as in ticks of MPEG-TS', () => {
    const film = source({ nominalRate: ntsc, averageRate: ntsc })
    for (const perSecond of [1000, 90_000]) {
      const { shownS } = timeline(359, ntsc)
      const times = {
        ...timeline(359, ntsc),
        shownS: shownS.map((at) => Math.round(at * perSecond) / perSecond),
      }
      expect(planShards(film, plan(film), times).is).toBe('split')
    }
  })

  const looks: [what: string, video: Partial<Source['video']>, why: RegExp | undefined][] = [
    ['an ordinary one', {}, undefined],
    ['HDR and turned', { hdr: 'pq', rotationDegrees: 90 }, undefined],
    ['interlaced', { interlaced: true }, /interlaced/],
    ['varying', { variableFrameRate: true }, /equal distances/],
    ['120 frames a second, which become 60', { nominalRate: { num: 120, den: 1 } }, /has to be changed/],
    ['60 frames a second', { nominalRate: { num: 60, den: 1 } }, undefined],
  ]
  test.each(looks)('what a look says: %s', (_, video, why) => {
    const of = source(video)
    const said = whyWhole(of, plan(of))
    if (why === undefined) expect(said).toBeUndefined()
    else expect(said).toMatch(why)
  })
})

describe('time stamps of a video', () => {
  const read = (lines: string[]): Timeline => {
    const reader = timelineReader()
    for (const line of lines) reader.read(line)
    return reader.timeline()
  }

  test('are sorted, counted from the start of the file, without pictures that are never shown', () => {
    expect(
      read([
        'packet,9.96,9.90,KD_',
        'packet,10.00,9.94,K__,side_data,',
        'packet,10.12,9.98,___',
        'packet,10.04,10.02,___',
        'packet,10.08,10.06,___',
        'format,10.00',
      ]),
    ).toEqual({
      startS: 10,
      shownS: [0, 0.04, 0.08, 0.12].map((timeS) => expect.closeTo(timeS, 6)),
      keys: [
        { shownS: expect.closeTo(-0.04, 6), storedS: expect.closeTo(-0.1, 6) },
        { shownS: 0, storedS: expect.closeTo(-0.06, 6) },
      ],
      beginsWithKey: true,
      fault: undefined,
    })
  })

  const odd: [what: string, lines: string[], want: Partial<Timeline>][] = [
    [
      'a picture without one',
      ['packet,0,0,K__', 'packet,N/A,0.04,___'],
      { fault: expect.stringMatching(/time stamp/) },
    ],
    [
      'a packet known to be damaged',
      ['packet,0,0,K__', 'packet,0.04,0.04,__C'],
      { fault: expect.stringMatching(/damaged/) },
    ],
    [
      'a picture before the first key frame',
      ['packet,0.04,0,K__', 'packet,0,0.04,___'],
      { beginsWithKey: false },
    ],
    ['no key frame first', ['packet,0,0,___', 'packet,0.04,0.04,K__'], { beginsWithKey: false }],
    ['none', [], { shownS: [], beginsWithKey: false }],
    ['no decoding time', ['packet,1.5,N/A,K__'], { keys: [{ shownS: 1.5, storedS: 1.5 }] }],
  ]
  test.each(odd)('%s', (_, lines, want) => expect(read(lines)).toMatchObject(want))

  test('are asked for behind the guard, of the first real video stream', () => {
    expect(timelineArguments({ url: 'http://127.0.0.1:1/x', guard: ['-guard'] }).join(' ')).toBe(
      '-v error -guard -select_streams V:0 -show_entries packet=pts_time,dts_time,flags:format=start_time -of csv http://127.0.0.1:1/x',
    )
  })
})

describe('what ffprobe is told', () => {
  const entries = 'stream=codec_name,width,height,start_time,nb_frames,nb_read_packets,extradata_hash'
  test.each([
    ['by what its index says', false, '', ''],
    ['packet by packet', true, '-count_packets ', 'packet=stream_index:'],
  ])('a piece is looked at %s, and opens no other file', (_, counted, count, packets) => {
    expect(inspectArguments('/scratch/video.mp4', counted).join(' ')).toBe(
      `-v error -protocol_whitelist file -format_whitelist mov,mp4 ${count}-show_data_hash sha256 -show_entries ${packets}${entries} -of json file:/scratch/video.mp4`,
    )
  })
})

describe('what ffmpeg is told', () => {
  const input = { url: 'http://127.0.0.1:1/x', guard: ['-guard'] }
  const shard = (start: Partial<Parameters<typeof shardArguments>[1]['start']>) =>
    shardArguments(
      plan(),
      { start: { frame: 0, stampS: 0, seekS: 0, repeats: 0, ...start }, frames: 100 },
      { input, output: '/scratch/video.mp4' },
    ).join(' ')
  const encoder =
    '-c:v libx264 -preset veryfast -profile:v high -pix_fmt yuv420p -fps_mode cfr -r 25/1 -g 50 -keyint_min 50 -sc_threshold 0 -crf 23 -maxrate:v:0 400k -bufsize:v:0 400k -maxrate:v:1 200k -bufsize:v:1 200k'

  test('a shard: one decode, every rendition, exact frames, no sound, one file', () => {
    const line = shard({ frame: 100, stampS: 1004, seekS: 3.72 })
    expect(line).toMatch(
      /^-y -nostdin -hide_banner -v warning -nostats -stats_period 0.5 -progress pipe:1 -timelimit \d+ /,
    )
    expect(line).toContain(
      ' -copyts -noaccurate_seek -ss 3.720000 -guard -i http://127.0.0.1:1/x -filter_complex [0:V:0]trim=start=1003.980000,setpts=PTS-(1004.000000)/TB,split=2[s0][s1];[s0]scale=320:180',
    )
    expect(line).toContain(
      ` -map [v0] -map [v1] ${encoder} -frames:v 100 -map_metadata -1 -map_chapters -1 -movie_timescale 25 -f mp4 file:/scratch/video.mp4`,
    )
    expect(line).not.toMatch(/0:a|aac/)
  })

  const cuts: [what: string, start: Parameters<typeof shard>[0], filters: string][] = [
    [
      'the first one begins where the video does',
      { stampS: 1000 },
      ' -copyts -guard -i http://127.0.0.1:1/x -filter_complex [0:V:0]trim=start=999.980000,setpts=PTS-(1000.000000)/TB,split',
    ],
    [
      'the first one repeats its first picture until the time of it',
      { repeats: 12 },
      ' -timelimit 4440 -guard -i http://127.0.0.1:1/x -filter_complex [0:V:0]setpts=PTS-STARTPTS+12/(25/1)/TB,fps=25/1:start_time=0,split',
    ],
    [
      'without a seek pictures are known by their time as well',
      { frame: 100, stampS: 4 },
      ' -copyts -guard -i http://127.0.0.1:1/x -filter_complex [0:V:0]trim=start=3.980000,setpts=PTS-(4.000000)/TB,split',
    ],
  ]
  test.each(cuts)('%s', (_, start, line) => {
    expect(shard(start)).toContain(line)
    expect(shard(start)).not.toMatch(/-ss/)
  })

  test('the encoder is told the same as in one run, and so is the picture made', () => {
    const hdr = source({ hdr: 'pq' })
    const line = shardArguments(
      plan(hdr),
      { start: { frame: 0, stampS: 0, seekS: 0, repeats: 0 }, frames: 100 },
      { input, output: '/x' },
    ).join(' ')
    expect(line).toContain('setpts=PTS-(0.000000)/TB,zscale=tin=smpte2084')
    expect(line).toContain(encoder)
  })

  test('the sound: as in one run, with the pictures read along, so that both count from the same time', () => {
    expect(soundArguments(plan(), { input, output: '/scratch/sound.mp4' }).join(' ')).toContain(
      `-guard -i http://127.0.0.1:1/x -map 0:1 ${audioArguments(plan()).join(' ')} -map_metadata -1 -map_chapters -1 -t 28 -movie_timescale 48000 -f mp4 file:/scratch/sound.mp4 -map 0:V:0 -c:v copy -t 28 -f null -`,
    )
  })

  test('the list of shards: relative names, and how long each is', () => {
    expect(shardList(['shard-0.mp4', 'shard-1.mp4'], 120, ntsc)).toBe(
      'ffconcat version 1.0\nfile shard-0.mp4\nduration 4.004000\nfile shard-1.mp4\nduration 4.004000\n',
    )
  })

  test('joining: nothing is encoded, only our own files are opened, the sound begins where it did', () => {
    const line = stitchArguments(plan(), {
      list: '/w/list.txt',
      sound: { path: '/w/sound.mp4', startS: 0.4 },
      folder: '/out',
    }).join(' ')
    expect(line).toContain(
      '-protocol_whitelist file -format_whitelist concat,mov,mp4 -f concat -safe 1 -i file:/w/list.txt -protocol_whitelist file -format_whitelist mov,mp4 -itsoffset 0.400000 -i file:/w/sound.mp4 -map 0:v:0 -map 0:v:1 -map 1:a:0 -c copy -map_metadata -1 -map_chapters -1 -f hls',
    )
    expect(line).toContain(
      'v:0,agroup:audio,name:180p v:1,agroup:audio,name:144p a:0,agroup:audio,name:audio',
    )
  })

  test('joining without sound: one input', () => {
    const mute = plan(source({}, { audio: undefined }))
    const line = stitchArguments(mute, { list: '/w/list.txt', sound: null, folder: '/out' }).join(' ')
    expect(line.match(/ -i /g)).toHaveLength(1)
    expect(line).not.toMatch(/audio|1:a/)
  })

  test('a shard may use the processor as long as its own part allows', () => {
    const start = { frame: 0, stampS: 0, seekS: 0, repeats: 0 }
    const limit = (frames: number) => shardCpuLimitS(plan(), { start, frames })
    expect(limit(7500) - limit(5000)).toBe(100 * 20 * 3)
  })
})

describe('the file of a shard', () => {
  const stream: PieceStream = { codec: 'h264', width: 320, height: 180, packets: 100, startS: 0, header: 'x' }
  const small = { ...stream, width: 256, height: 144 }
  const { rungs } = plan()
  const rows: [what: string, streams: PieceStream[], problem: RegExp | undefined][] = [
    ['as it should be', [stream, small], undefined],
    ['a rendition missing', [stream], /1 streams, not 2/],
    ['one frame too few', [stream, { ...small, packets: 99 }], /144p has 99 frames, not 100/],
    ['one frame too many', [{ ...stream, packets: 101 }, small], /180p has 101 frames, not 100/],
    ['another size', [stream, stream], /144p is 320 x 180, not 256 x 144/],
    ['another codec', [{ ...stream, codec: 'hevc' }, small], /180p is not H.264/],
    ['a late start', [{ ...stream, startS: 0.04 }, small], /180p begins at 0.04 s/],
  ]
  test.each(rows)('%s', (_, streams, problem) => {
    const said = shardProblem(streams, rungs, 100)
    if (problem === undefined) expect(said).toBeUndefined()
    else expect(said).toMatch(problem)
  })
})
