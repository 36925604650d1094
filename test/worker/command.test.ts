import { describe, expect, test } from 'vitest'
import { transcodeParamsSchema } from '../../schemas/kinds/transcode.ts'
import { planTranscode, transcodeArguments } from '../../worker/media/command.ts'
import { freeBytesAt, outputBytes, requireDisk } from '../../worker/media/disk.ts'
import type { Source } from '../../worker/media/gate.ts'
import { parseProbe } from '../../worker/media/probe.ts'

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
    expect(valueAfter(args, '-filter_complex')).toBe(
      '[0:V:0]split=3[s0][s1][s2];' +
        '[s0]scale=1280:720:out_range=tv,setsar=1,format=yuv420p[v0];' +
        '[s1]scale=854:480:out_range=tv,setsar=1,format=yuv420p[v1];' +
        '[s2]scale=640:360:out_range=tv,setsar=1,format=yuv420p[v2]',
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

  test('places and names that a recording carries are not published', () => {
    expect(valueAfter(argumentsFor(source()), '-map_metadata')).toBe('-1')
  })
})

describe('room on the disk', () => {
  const plan = planTranscode(source(), transcodeParamsSchema.parse({}), true)

  test('is reckoned from the highest rates: (2800 + 1400 + 800 + 128) kbit/s x 60 s, and a fifth', () => {
    expect(outputBytes(plan)).toBe(46_152_000)
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

  test('exactly enough is enough', () => {
    expect(() => requireDisk(800e6, 1e9, 0)).not.toThrow()
    expect(() => requireDisk(800e6 + 1, 1e9, 0)).toThrow()
  })

  test('what is free is asked of the system', async () => {
    await expect(freeBytesAt('/')).resolves.toBeGreaterThan(0)
  })
})
