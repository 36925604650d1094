import { describe, expect, test } from 'vitest'
import { transcodeParamsSchema } from '../../schemas/kinds/transcode.ts'
import { planTranscode, posterArguments, transcodeArguments } from '../../worker/media/command.ts'
import { freeBytesAt, outputBytes, requireDisk } from '../../worker/media/disk.ts'
import type { Source } from '../../worker/media/gate.ts'
import { inputGuard } from '../../worker/media/limits.ts'
import { ownProbeArguments } from '../../worker/media/own-probe.ts'
import { parseProbe, probeArguments } from '../../worker/media/probe.ts'

/** What ffprobe says about a file, in its own form; rows change one thing. */
const source = (video: Record<string, unknown> = {}, audio: Record<string, unknown> | null = {}): Source => {
  const probe = parseProbe(
    JSON.stringify({
      format: { format_name: 'mov,mp4', duration: '60.0', start_time: '0.0', size: '1000000' },
      streams: [
        {
          index: 0,
          codec_type: 'video',
          codec_name: 'h264',
          pix_fmt: 'yuv420p',
          width: 1280,
          height: 720,
          r_frame_rate: '30/1',
          avg_frame_rate: '30/1',
          duration: '60.0',
          ...video,
        },
        ...(audio === null
          ? []
          : [
              {
                index: 1,
                codec_type: 'audio',
                codec_name: 'aac',
                channels: 6,
                sample_rate: '44100',
                ...audio,
              },
            ]),
      ],
    }),
  )
  if (probe.video === undefined || probe.durationS === undefined) throw new Error('not a video')
  return { ...probe, video: probe.video, durationS: probe.durationS }
}

const argumentsFor = (from: Source, params: Record<string, unknown> = {}, toneMaps = true): string[] =>
  transcodeArguments(planTranscode(from, transcodeParamsSchema.parse(params), toneMaps), {
    input: '/scratch/input',
    folder: '/scratch/output',
    pixels: 1000,
  })
const valueAfter = (args: string[], option: string): string | undefined => args[args.indexOf(option) + 1]

describe('the arguments of ffmpeg', () => {
  test('one input, decoded once for every rung', () => {
    const args = argumentsFor(source())
    expect(args.filter((arg) => arg === '-i')).toHaveLength(1)
    const marks = 'setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709'
    expect(valueAfter(args, '-filter_complex')).toBe(
      '[0:V:0]split=3[s0][s1][s2];' +
        `[s0]scale=1280:720:out_range=tv,setsar=1,format=yuv420p,${marks}[v0];` +
        `[s1]scale=854:480:out_range=tv,setsar=1,format=yuv420p,${marks}[v1];` +
        `[s2]scale=640:360:out_range=tv,setsar=1,format=yuv420p,${marks}[v2]`,
    )
  })

  test('the guard stands before the input, and the input is a file: with an absolute path', () => {
    const args = argumentsFor(source())
    const input = args.indexOf('-i')
    expect(args[input + 1]).toBe('file:/scratch/input')
    for (const option of [
      '-protocol_whitelist',
      '-format_whitelist',
      '-max_pixels',
      '-max_alloc',
      '-timelimit',
    ]) {
      expect(args.indexOf(option), option).toBeGreaterThan(-1)
      expect(args.indexOf(option), option).toBeLessThan(input)
    }
    expect(valueAfter(args, '-protocol_whitelist')).toBe('file,crypto,data')
    expect(valueAfter(args, '-format_whitelist')?.split(',')).not.toContain('hls')
  })

  test('key frames are two seconds apart in every rung, and nowhere else', () => {
    const args = argumentsFor(source({ r_frame_rate: '25/1', avg_frame_rate: '25/1' }))
    expect([
      valueAfter(args, '-g'),
      valueAfter(args, '-keyint_min'),
      valueAfter(args, '-sc_threshold'),
    ]).toEqual(['50', '50', '0'])
  })

  test('5.1 becomes stereo', () => {
    expect(valueAfter(argumentsFor(source()), '-ac')).toBe('2')
  })

  test('of more than eight channels the first eight are mixed', () => {
    expect(valueAfter(argumentsFor(source({}, { channels: 8 })), '-af')).not.toContain('pan')
    expect(valueAfter(argumentsFor(source({}, { channels: 9 })), '-af')).toMatch(
      /^pan=7\.1\|.*\|c7=c7,aresample/,
    )
  })

  test('without audio there is no audio group', () => {
    const args = argumentsFor(source({}, null), { renditions: [{ height: 360, maxBitrateKbps: 700 }] })
    expect(valueAfter(args, '-var_stream_map')).toBe('v:0,name:360p')
    expect(args).not.toContain('-c:a')
  })

  test('portrait: sizes come from the picture as it is seen', () => {
    const args = argumentsFor(source({ side_data_list: [{ rotation: -90 }] }))
    expect(valueAfter(args, '-filter_complex')).toContain('scale=720:1280')
  })

  test('pixels that are not square: one scaling to the size as it is seen', () => {
    const args = argumentsFor(source({ width: 720, height: 576, sample_aspect_ratio: '64:45' }))
    expect(valueAfter(args, '-filter_complex')).toContain('[s0]scale=854:480:')
  })

  test.each<[string, Record<string, unknown>, string]>([
    ['vary', { avg_frame_rate: '10/1' }, '[0:V:0]fps=30/1:start_time=0,split='],
    [
      'stand for seconds',
      { r_frame_rate: '1/5', avg_frame_rate: '1/5' },
      '[0:V:0]fps=1/1:start_time=0,split=',
    ],
    [
      'are too many',
      { r_frame_rate: '120/1', avg_frame_rate: '120/1' },
      '[0:V:0]fps=120/2:start_time=0,split=',
    ],
    ['come at equal distances', {}, '[0:V:0]split='],
  ])('pictures that %s are repeated or left out before the encoder only where needed', (_, video, begins) => {
    const graph = valueAfter(argumentsFor(source(video)), '-filter_complex') ?? ''
    expect(graph.slice(0, begins.length)).toBe(begins)
  })

  test('interlaced pictures are woven into one per field', () => {
    const args = argumentsFor(source({ field_order: 'tt', r_frame_rate: '25/1', avg_frame_rate: '25/1' }))
    expect(valueAfter(args, '-filter_complex')).toMatch(/^\[0:V:0\]bwdif=/)
    expect(valueAfter(args, '-r')).toBe('50/1')
  })

  test('HDR is mapped where zscale is there, and left alone where not', () => {
    const hdr = source({ color_transfer: 'arib-std-b67' })
    expect(valueAfter(argumentsFor(hdr), '-filter_complex')).toContain('zscale=tin=arib-std-b67:pin=bt2020')
    expect(valueAfter(argumentsFor(hdr, {}, false), '-filter_complex')).not.toContain('zscale')
  })

  test('HDR that was mapped, and what was left alone, are marked as what they are', () => {
    const hdr = source({ color_transfer: 'smpte2084', color_primaries: 'bt2020', color_space: 'bt2020nc' })
    expect(valueAfter(argumentsFor(hdr), '-filter_complex')).toMatch(/colorspace=bt709\[v2\]$/)
    expect(valueAfter(argumentsFor(hdr, {}, false), '-filter_complex')).toMatch(
      /color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc\[v2\]$/,
    )
  })

  test('red, green and blue get the matrix that they are marked with', () => {
    const screen = source({ pix_fmt: 'gbrp', color_space: 'gbr' })
    expect(valueAfter(argumentsFor(screen), '-filter_complex')).toContain(
      '[s0]scale=1280:720:out_range=tv:out_color_matrix=bt709,setsar=1,format=yuv420p,setparams=',
    )
  })

  test('sound that begins late gets silence in front, so that all playlists begin at zero', () => {
    expect(valueAfter(argumentsFor(source()), '-af')).toBe('aresample=async=1:first_pts=0')
  })

  test('places and names that a recording carries are not published', () => {
    expect(valueAfter(argumentsFor(source()), '-map_metadata')).toBe('-1')
  })
})

describe('the arguments of what looks at files', () => {
  test('of users: behind the guard', () => {
    const input = { url: 'file:/scratch/input', guard: inputGuard(1000) }
    expect(probeArguments(input, ['-of', 'json', '-show_streams'])).toEqual([
      ...['-v', 'error', '-protocol_whitelist', 'file,crypto,data', '-format_whitelist'],
      'mov,mp4,matroska,webm,mpegts,mpeg,avi,flv,mp3,aac,wav,flac,ogg',
      ...['-max_pixels', '1000', '-max_alloc', '1073741824'],
      ...['-of', 'json', '-show_streams', 'file:/scratch/input'],
    ])
  })

  test('of our own: every packet is read, none is decoded', () => {
    expect(ownProbeArguments('/out/360p/index.m3u8')).toEqual([
      ...['-v', 'error', '-protocol_whitelist', 'file,crypto,data', '-format_whitelist', 'hls,mov,mp4'],
      ...['-allowed_extensions', 'ALL', '-count_packets', '-show_entries'],
      'packet=stream_index:stream=codec_type,codec_name,profile,width,height,pix_fmt,color_range,color_space,color_transfer,color_primaries,channels,sample_rate,start_time,duration,nb_read_packets',
      ...['-of', 'json', 'file:/out/360p/index.m3u8'],
    ])
  })
})

test('the arguments for a poster: the most typical of a few pictures, in the colors of JPEG', () => {
  expect(posterArguments('/out/piece.mp4', 1.25, '/out/poster.jpg')).toEqual([
    ...['-y', '-nostdin', '-hide_banner', '-v', 'error'],
    ...['-protocol_whitelist', 'file', '-format_whitelist', 'mov,mp4', '-i', 'file:/out/piece.mp4'],
    ...['-map', '0:V:0', '-vf'],
    "select='gte(t,1.250)',thumbnail=n=12,format=gbrp,scale=out_color_matrix=bt601:out_range=pc,format=yuvj420p",
    ...['-frames:v', '1', '-q:v', '3', '-update', '1', 'file:/out/poster.jpg'],
  ])
})

describe('room on the disk', () => {
  const plan = planTranscode(source(), transcodeParamsSchema.parse({}), true)

  test('is reckoned from the highest rates: (2800 + 1400 + 800 + 128) kbit/s x 60 s, and a fifth', () => {
    expect(outputBytes(plan)).toBe(46_152_000)
  })

  test('MP4 files need their room as well, each with its sound: (2800 + 128) kbit/s more', () => {
    const withMp4 = planTranscode(source(), transcodeParamsSchema.parse({ mp4: [720] }), true)
    expect(outputBytes(withMp4) - outputBytes(plan)).toBe(26_352_000)
  })

  test('too little is refused before the start, with the GiB to ask for', () => {
    const gibibyte = 1024 ** 3
    expect(() => requireDisk(30 * gibibyte, 10 * gibibyte, 8 * gibibyte)).toThrow(
      expect.objectContaining({
        code: 'DISK_FULL',
        exitCode: 75,
        message: expect.stringMatching(/30\.2 GiB are needed and 10\.0 GiB are free.*ephemeralStorage to 42/),
      }),
    )
  })

  test('more than any task can have is refused for good, with what to do about it', () => {
    const gibibyte = 1024 ** 3
    expect(() => requireDisk(196 * gibibyte, 10 * gibibyte, 0)).toThrow(/ephemeralStorage to 200 or more/)
    expect(() => requireDisk(120 * gibibyte, 10 * gibibyte, 80 * gibibyte)).toThrow(
      expect.objectContaining({
        code: 'INPUT_TOO_LARGE',
        exitCode: 65,
        message: expect.stringMatching(/204 GiB of disk, and no task has more than 200.*no MP4.*cut it/),
      }),
    )
  })

  test('exactly enough is enough', () => {
    expect(() => requireDisk(800e6, 1e9, 0)).not.toThrow()
    expect(() => requireDisk(800e6 + 1, 1e9, 0)).toThrow()
  })

  test('what is free is asked of the system', async () => {
    await expect(freeBytesAt('/')).resolves.toBeGreaterThan(0)
  })
})
