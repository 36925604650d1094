import { mkdtempSync, rmSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DeleteObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TranscodeParams } from '../../schemas/kinds/transcode.ts'
import type { TranscodeMetadata } from '../../schemas/metadata.ts'
import { runChild } from '../../worker/children.ts'
import { transcode } from '../../worker/kinds/transcode.ts'
import { planTranscode, transcodeArguments } from '../../worker/media/command.ts'
import { admitInput } from '../../worker/media/gate.ts'
import { type InputLimits, inputLimits } from '../../worker/media/limits.ts'
import { probe } from '../../worker/media/probe.ts'
import { type ClipName, playlistOf } from '../support/clips.ts'
import { type Handling, openHandling } from './handling.ts'
import { allMediaTools, fastParams, look, openStudio } from './media.ts'
import { countedClip, numbersIn } from './sharding.ts'

// Everything that people upload and should not, or should and rarely do: one row each, with what becomes of it.

let studio: Awaited<ReturnType<typeof openStudio>>
beforeAll(async () => {
  studio = await openStudio()
})
afterAll(() => studio.remove())

const scratch = mkdtempSync(join(tmpdir(), 'tools-'))
const everyTools = await allMediaTools(scratch)
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

describe('what is refused: exit code 65, never tried again, and a sentence that says why', () => {
  test.each<[ClipName, Partial<TranscodeParams>, string, RegExp]>([
    ['empty.mp4', {}, 'INPUT_EMPTY', /empty file/],
    ['zeros.mp4', {}, 'INPUT_UNREADABLE', /only zeros/],
    ['random.mp4', {}, 'INPUT_UNREADABLE', /not a video or sound that can be read/],
    ['text.mp4', {}, 'INPUT_UNREADABLE', /it is a text/],
    ['ftyp-only.mp4', {}, 'INPUT_UNREADABLE', /index is missing/],
    ['cut-moov-last.mp4', {}, 'INPUT_UNREADABLE', /upload was cut off/],
    ['cut-moov-first.mp4', {}, 'INPUT_TRUNCATED', /promises 4\.0 s, and \d\.\d s of pictures could be read/],
    ['cut-moov-first.mp4', { onDamage: 'strict' }, 'INPUT_(TRUNCATED|CORRUPT)', /\w+ \w+/],
    [
      'damaged.mp4',
      { onDamage: 'strict' },
      'INPUT_CORRUPT',
      /damaged: a picture or sound in it cannot be decoded/,
    ],
    ['damaged.avi', { onDamage: 'strict' }, 'INPUT_CORRUPT', /cannot be decoded/],
    ['damaged-hevc.ts', { onDamage: 'strict' }, 'INPUT_CORRUPT', /cannot be decoded/],
    ['headless.mkv', {}, 'INPUT_UNREADABLE', /not a video or sound that can be read/],
    ['picture.mp4', {}, 'INPUT_FORMAT_REFUSED', /it is a picture/],
    ['playlist.mp4', {}, 'INPUT_FORMAT_REFUSED', /it is a playlist/],
    ['ffconcat.mp4', {}, 'INPUT_FORMAT_REFUSED', /it is a list of files/],
    ['dash.mp4', {}, 'INPUT_FORMAT_REFUSED', /it is a DASH manifest/],
    ['sound.m4a', {}, 'NO_VIDEO_STREAM', /no video: it has only audio\. Submit it as a job of kind audio\.$/],
    [
      'sound-with-cover.m4a',
      {},
      'NO_VIDEO_STREAM',
      /only (audio and cover|cover and audio)\. Submit it as a job of kind audio/,
    ],
    ['gigantic.mkv', {}, 'INPUT_TOO_LARGE', /pictures are 9000x4400 pixels, at most 35389440 in all are/],
    ['endless.mkv', {}, 'INPUT_TOO_LARGE', /\d{5,6} seconds, at most 86400 are/],
    ['crowded.mkv', {}, 'INPUT_TOO_LARGE', /18 streams, at most 16 are/],
    ['needle.mp4', {}, 'INPUT_TOO_LARGE', /32000 pixels on the longer side of 180p, at most 16384 are/],
    ['flickering.mkv', {}, 'INPUT_TOO_LARGE', /500 frames per second, at most 240 are/],
  ])('%s %j', async (name, params, code, message) => {
    await expect(studio.transcodeClip(name, params)).rejects.toMatchObject({
      code: expect.stringMatching(new RegExp(`^${code}$`)),
      exitCode: 65,
      message: expect.stringMatching(message),
    })
  })

  test.each<[string, Partial<InputLimits>, RegExp]>([
    ['pixels', { pixels: 1000 }, /pixels/],
    ['duration', { durationS: 1 }, /2 seconds, at most 1/],
    ['streams', { streams: 1 }, /2 streams, at most 1/],
    ['frames per second', { framesPerSecond: 24 }, /25 frames per second, at most 24/],
  ])('beyond the limit of %s', async (_, limit, message) => {
    await expect(
      studio.transcodeClip('short.mp4', {}, { limits: { ...inputLimits, ...limit } }),
    ).rejects.toMatchObject({
      code: 'INPUT_TOO_LARGE',
      exitCode: 65,
      message: expect.stringMatching(message),
    })
  })
})

type Largest = TranscodeMetadata['renditions'][number]

describe('what is unusual and becomes ordinary: even sizes, 4:2:0, constant rate, stereo', () => {
  test.each<[ClipName, string, (metadata: TranscodeMetadata, largest: Largest) => void]>([
    ['odd.mkv', 'odd sides and 4:4:4', (_, { width, height }) => expect([width, height]).toEqual([240, 180])],
    [
      'portrait.mp4',
      'rotated: upright, and the ladder goes by the short side',
      ({ video, renditions }) => {
        expect(video).toMatchObject({ codedWidth: 640, codedHeight: 360, width: 360, height: 640 })
        expect(renditions.map(({ name, width, height }) => [name, width, height])).toEqual([
          ['360p', 360, 640],
          ['180p', 180, 320],
        ])
      },
    ],
    [
      'tall.mp4',
      'portrait without rotation',
      ({ renditions }) =>
        expect(renditions.map(({ name, width, height }) => [name, width, height])).toEqual([
          ['180p', 180, 320],
        ]),
    ],
    [
      'anamorphic.mp4',
      'pixels that are not square are made square',
      ({ video }, { width, height }) => {
        expect(video).toMatchObject({ width: 512, height: 288, sampleAspectRatio: '64:45' })
        expect([width, height]).toEqual([320, 180])
      },
    ],
    [
      'interlaced.mp4',
      'one frame per field',
      ({ video }, { frameRate }) => expect([video.interlaced, frameRate]).toEqual([true, 50]),
    ],
    [
      'varying.mp4',
      'a varying frame rate becomes constant, in sync',
      ({ video }, { frameRate, durationS }) => {
        expect([video.variableFrameRate, frameRate]).toEqual([true, 25])
        expect(Math.abs(durationS - 4)).toBeLessThan(0.3)
      },
    ],
    [
      'silent.mp4',
      'no audio: a ladder without an audio group',
      (metadata) => expect(metadata).toMatchObject({ audio: null, audioRendition: null, loudness: null }),
    ],
    [
      'mute.mp4',
      'silence is said to be silence',
      ({ loudness }) => expect(loudness?.integratedLufs).toBeNull(),
    ],
    [
      'surround.mp4',
      '5.1 becomes stereo',
      ({ audio, audioRendition }) => {
        expect(audio).toMatchObject({ channels: 6 })
        expect(audioRendition).toMatchObject({ channels: 2, sampleRateHz: 48_000 })
      },
    ],
    [
      'late-sound.mkv',
      'sound that begins a second late gets a second of silence',
      ({ audioRendition }) => expect(audioRendition?.durationS).toBeCloseTo(4, 1),
    ],
    ...(['very-late-sound.ts', 'very-late-sound.mpg'] as const).map(
      (name): [ClipName, string, (metadata: TranscodeMetadata, largest: Largest) => void] => [
        name,
        'sound that begins after ffmpeg has stopped looking for it is heard all the same',
        ({ audioRendition, loudness }) => {
          expect(audioRendition?.durationS).toBeCloseTo(12, 1)
          expect(loudness?.integratedLufs).toBeGreaterThan(-30)
        },
      ],
    ),
    [
      'late-video.mkv',
      'pictures that begin a second late stand still for it',
      (_, { frames }) => expect(frames).toBeGreaterThanOrEqual(74),
    ],
    [
      'hdr.mp4',
      'HDR becomes SDR',
      ({ video }, { color }) => expect([video.hdr, color.transfer]).toEqual(['pq', 'bt709']),
    ],
    [
      'hlg-red.mp4',
      'HLG too',
      ({ video }, { color }) => expect([video.hdr, color.transfer]).toEqual(['hlg', 'bt709']),
    ],
    ['screen.mkv', 'red, green and blue', (_, { color }) => expect(color.matrix).toBe('bt709')],
    ['fullrange.avi', 'full range of a camera', (_, { color }) => expect(color.range).toBe('tv')],
    [
      'recorded.webm',
      'a recording of a browser that says nothing about its duration',
      ({ durationS }, { frames }) => {
        // Where the last sound ends, which Opus makes in whole packets; the last time stamp of a picture is 1.96.
        expect(durationS).toBeCloseTo(2.02, 2)
        expect(frames).toBeGreaterThanOrEqual(49)
      },
    ],
    [
      'recorded-longer-sound.webm',
      'one whose sound goes on after its pictures',
      ({ durationS, audioRendition }) => {
        expect(durationS).toBeCloseTo(4.02, 1)
        expect(audioRendition?.durationS).toBeCloseTo(4.02, 1)
      },
    ],
    [
      'recorded-picture.webm',
      'one of a single picture',
      ({ durationS }, { frames }) => expect([durationS, frames]).toEqual([0.04, 1]),
    ],
    ...(['offset.mkv', 'offset.webm', 'offset.flv'] as const).map(
      (name): [ClipName, string, (metadata: TranscodeMetadata, largest: Largest) => void] => [
        name,
        'time stamps that begin at 100 s',
        ({ durationS }, { frames }) => {
          expect(durationS).toBeCloseTo(2.03, 1)
          expect(frames).toBeGreaterThanOrEqual(50)
        },
      ],
    ),
    [
      'slides.mp4',
      'a picture every five seconds, with sound',
      (_, { frameRate, durationS }) => expect([frameRate, durationS]).toEqual([1, 20]),
    ],
    [
      'slideshow.mp4',
      'pictures of four seconds, the last of which is gone at once',
      (_, { durationS }) => expect(durationS).toBeCloseTo(8, 1),
    ],
    [
      'nine-channels.mov',
      'more channels than anybody can mix: the first eight are heard',
      ({ audio, audioRendition, loudness }) => {
        expect([audio?.channels, audioRendition?.channels]).toEqual([9, 2])
        expect(loudness?.integratedLufs).toBeGreaterThan(-30)
      },
    ],
    [
      'hdr-constant.mp4',
      'HDR with a matrix that no filter can undo',
      (_, { color }) => expect(color.transfer).toBe('bt709'),
    ],
    ['hdr-240.mp4', 'HDR with one that some can', (_, { color }) => expect(color.transfer).toBe('bt709')],
    ['stream.ts', 'a transport stream', (_, { frames }) => expect(frames).toBeGreaterThanOrEqual(49)],
    ['program.mpg', 'a program stream', (_, { frames }) => expect(frames).toBeGreaterThanOrEqual(49)],
    ['stream.flv', 'Flash video', (_, { frames }) => expect(frames).toBeGreaterThanOrEqual(49)],
  ])('%s: %s', async (name, _, check) => {
    const { metadata, folder } = await studio.transcodeClip(name)
    const [largest] = metadata.renditions
    if (largest === undefined) throw new Error('no renditions')
    check(metadata, largest)
    expect(metadata.warnings).toEqual([])
    expect(look(studio.npm, join(folder, largest.playlist), 'stream=pix_fmt')).toMatch(/^yuv420p(\n|$)/)
    const master = await readFile(join(folder, 'master.m3u8'), 'utf8')
    expect(/AUDIO/.test(master)).toBe(metadata.audio !== null)
  })

  test.each(
    everyTools.flatMap(([version, tools]) => ['120', '240', '90'].map((rate) => ({ version, tools, rate }))),
  )(
    '$rate pictures a second: some are left out, and none comes late, with $version',
    async ({ tools, rate }) => {
      const clip = { name: `${rate}.mp4`, rate, seconds: 2, sound: null }
      const path = await countedClip(studio.folder, studio.npm, clip)
      const { metadata, folder } = await studio.transcode(path, {}, { tools })
      const [largest] = metadata.renditions
      if (largest === undefined) throw new Error('no renditions')
      const numbers = await numbersIn(tools, join(folder, largest.playlist))
      expect(numbers).toHaveLength(2 * largest.frameRate)
      const lateS = numbers.map((number, frame) => frame / largest.frameRate - number / Number(rate))
      for (const seconds of lateS)
        expect(Math.abs(seconds)).toBeLessThanOrEqual(0.5 / largest.frameRate + 1e-6)
    },
  )

  test('smaller than every rung: one rendition, not scaled up', async () => {
    const { metadata } = await studio.transcodeClip('short.mp4', {
      renditions: [{ height: 720, maxBitrateKbps: 2000 }],
    })
    expect(metadata.renditions.map(({ name, width, height }) => [name, width, height])).toEqual([
      ['180p', 320, 180],
    ])
  })
})

describe('what is done with a warning', () => {
  test.each<[ClipName, Partial<TranscodeParams>, string]>([
    ['damaged.mp4', {}, 'DAMAGED_FRAMES'],
    ['damaged.mp4', { onDamage: 'keep' }, 'DAMAGED_FRAMES'],
    ['damaged.avi', {}, 'DAMAGED_FRAMES'],
    // A single picture, and not the whole of it, is all that is left.
    ['one-picture.avi', {}, 'DAMAGED_FRAMES'],
    ['damaged-hevc.ts', { onDamage: 'keep' }, 'DAMAGED_FRAMES'],
    ['cut-moov-first.mp4', { onDamage: 'keep' }, 'INPUT_TRUNCATED'],
  ])('%s %j: %s', async (name, params, code) => {
    const { metadata } = await studio.transcodeClip(name, params)
    expect(metadata.warnings).toContainEqual(expect.objectContaining({ code, message: expect.any(String) }))
    if (code === 'DAMAGED_FRAMES') expect(metadata.warnings[0]?.count).toBeGreaterThan(0)
  })

  test.each<ClipName>(['fullrange.avi', 'hevc.ts', 'stream.ts', 'program.mpg', 'odd.mkv', 'recorded.webm'])(
    'what is sound passes strict without one: %s',
    async (name) => {
      const { metadata } = await studio.transcodeClip(name, { onDamage: 'strict' })
      expect(metadata.warnings).toEqual([])
    },
  )

  test.each<ClipName>(['without-microphone.mkv', 'without-microphone.mov'])(
    'a sound track without any sound is left out: %s',
    async (name) => {
      const { metadata } = await studio.transcodeClip(name)
      expect(metadata.warnings).toEqual([expect.objectContaining({ code: 'AUDIO_EMPTY' })])
      expect(metadata).toMatchObject({ audio: null, audioRendition: null, loudness: null })
      expect(metadata.streams.map(({ type }) => type)).toEqual(['video', 'empty audio'])
    },
  )

  test.each<[ClipName, string[], string]>([
    ['second-microphone.mkv', ['AUDIO_EMPTY'], 'empty audio'],
    ['second-microphone.mov', ['AUDIO_EMPTY'], 'empty audio'],
    ['second-microphone.ts', ['AUDIO_STREAMS_LEFT_OUT'], 'audio'],
  ])('the first sound track with sound in it is heard: %s', async (name, codes, first) => {
    const { metadata } = await studio.transcodeClip(name)
    expect(metadata.warnings.map(({ code }) => code)).toEqual(codes)
    expect(metadata.streams.map(({ type }) => type)).toEqual(['video', first, 'audio'])
    expect(metadata.loudness?.integratedLufs).toBeGreaterThan(-30)
    expect(metadata.audioRendition?.durationS).toBeCloseTo(2.05, 1)
  })

  test.each([
    [
      'first',
      'sowt',
      ['AUDIO_STREAMS_LEFT_OUT'],
      'Only the first readable one of several audio streams was used.',
    ],
    ['second', 'mp4a', ['AUDIO_STREAMS_LEFT_OUT'], 'Only the first of several audio streams was used.'],
  ])(
    'a sound track of a format that nobody knows is not the one that is heard: the %s',
    async (place, mark, codes, message) => {
      const content = await readFile(await studio.clip('two-languages.mov'), 'latin1')
      const path = join(studio.folder, `unknown-${place}.mov`)
      await writeFile(path, content.replace(mark, 'zzzz'), 'latin1')
      const { metadata } = await studio.transcode(path)
      expect(metadata.warnings).toEqual(codes.map((code) => ({ code, message })))
      expect(metadata.loudness?.integratedLufs).toBeGreaterThan(-30)
    },
  )

  test('HDR, where ffmpeg cannot map it', async () => {
    const { metadata } = await studio.transcodeClip(
      'hdr.mp4',
      {},
      { tools: { ...studio.tools, toneMaps: false } },
    )
    expect(metadata.warnings).toEqual([expect.objectContaining({ code: 'HDR_NOT_TONE_MAPPED' })])
  })
})

/** A web server that counts who comes, as an internal address would be. */
const openTrap = async () => {
  const hits: string[] = []
  const server = createServer((request, response) => {
    hits.push(request.url ?? '')
    response.end('secret')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    hits,
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/secret.ts`,
    close: () => new Promise((resolve) => server.close(resolve)),
  }
}

/** Texts that name other files, as those who look for a way in write them. */
const pointers = {
  'an HLS playlist': playlistOf,
  'a list of files': (address: string) => `ffconcat version 1.0\nfile '${address}'\n`,
  'a DASH manifest': (address: string) =>
    `<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT4S"><Period><AdaptationSet mimeType="video/mp2t"><Representation id="1" bandwidth="1000"><BaseURL>${address}</BaseURL></Representation></AdaptationSet></Period></MPD>\n`,
}

describe.each(everyTools)('what points to other files and is named .mp4, with %s', (_, tools) => {
  const options = { tools, limits: inputLimits, signal: new AbortController().signal }

  test.each(Object.entries(pointers))(
    '%s opens no address and no file, neither at the gate nor behind it',
    async (_, pointerTo) => {
      const trap = await openTrap()
      const victim = await studio.clip('stream.ts')
      try {
        for (const address of [trap.address, `file://${victim}`, victim, `concat:${victim}`]) {
          const path = join(studio.folder, 'pointer.mp4')
          await writeFile(path, pointerTo(address))
          await expect(admitInput(path, options)).rejects.toMatchObject({
            code: 'INPUT_FORMAT_REFUSED',
            exitCode: 65,
          })
          // The second wall, for what the first bytes do not give away: the same flags at the probe and at the work.
          await expect(probe(path, options)).rejects.toMatchObject({ exitCode: 65 })
          const source = await admitInput(await studio.clip('short.mp4'), options)
          const output = mkdtempSync(join(studio.folder, 'trapped-'))
          const args = transcodeArguments(planTranscode(source, fastParams(), false), {
            input: path,
            folder: output,
            pixels: inputLimits.pixels,
          })
          const end = await runChild(tools.ffmpeg.path, args, { env: tools.env, signal: options.signal })
          expect(end.exitCode).not.toBe(0)
          expect(await readdir(output)).toEqual([])
        }
        expect(trap.hits).toEqual([])
      } finally {
        await trap.close()
      }
    },
  )
})

describe('what media programs are given', () => {
  test('no AWS variables and none of ours', () => {
    expect(new Set(Object.keys(studio.tools.env))).toEqual(new Set(['PATH', 'LANG', 'GCONV_PATH']))
  })
})

describe('the disk', () => {
  test('that is too small is found before the start: exit code 75, with the GiB to ask for', async () => {
    await expect(studio.transcodeClip('plain.mp4', {}, { freeBytes: async () => 1e8 })).rejects.toMatchObject(
      {
        code: 'DISK_FULL',
        exitCode: 75,
        message: expect.stringMatching(/Set resources\.ephemeralStorage to \d+ or more/),
      },
    )
  })

  test('that fills up meanwhile is told from a fault of ffmpeg, which exits with 0 and prints nothing', async () => {
    // Does the work, then leaves what a full disk leaves: empty segments and exit code 0.
    const path = join(studio.folder, 'impostor')
    await writeFile(
      path,
      `#!/bin/sh\n"${studio.tools.ffmpeg.path}" "$@" || exit\nfor last; do :; done\nfind "$(dirname "$(dirname "$last")")" -name '*.m4s' -exec truncate -s 0 {} +\n`,
      { mode: 0o755 },
    )
    const tools = {
      ...studio.tools,
      env: { PATH: process.env.PATH ?? '' },
      ffmpeg: { ...studio.tools.ffmpeg, path },
    }
    const room = [1e12, 1e6]
    const freeBytes = async () => room.shift() ?? 0
    await expect(studio.transcodeClip('short.mp4', {}, { tools, freeBytes })).rejects.toMatchObject({
      code: 'DISK_FULL',
      exitCode: 75,
    })
  })
})

describe('the object in S3', () => {
  let handling: Handling
  beforeAll(async () => {
    handling = await openHandling()
  })
  afterAll(() => handling.close())

  const upload = async (key: string, name: ClipName) =>
    handling.workshop.upload(key, await readFile(await studio.clip(name)))
  const params = { ...fastParams({ renditions: [{ height: 180, maxBitrateKbps: 300 }] }) }

  test('that was replaced while the job waited: 66, changed', async () => {
    const input = await upload('replaced.mp4', 'short.mp4')
    await upload('replaced.mp4', 'silent.mp4')
    await expect(handling.handle(transcode, { input, params, tools: studio.tools })).rejects.toMatchObject({
      code: 'INPUT_CHANGED',
      exitCode: 66,
    })
  })

  test('that was deleted while the job waited: 66, missing', async () => {
    const input = await upload('deleted.mp4', 'short.mp4')
    await handling.client.send(new DeleteObjectCommand({ Bucket: input.bucket, Key: input.key }))
    await expect(handling.handle(transcode, { input, params, tools: studio.tools })).rejects.toMatchObject({
      code: 'INPUT_MISSING',
      exitCode: 66,
    })
  })

  // Of each reason one, and each place where it is found: the first bytes, the probe, the plan, the work, what came of it.
  test.each<[ClipName, Partial<TranscodeParams>, string]>([
    ['empty.mp4', {}, 'INPUT_EMPTY'],
    ['random.mp4', {}, 'INPUT_UNREADABLE'],
    ['cut-moov-last.mp4', {}, 'INPUT_UNREADABLE'],
    ['playlist.mp4', {}, 'INPUT_FORMAT_REFUSED'],
    ['sound.m4a', {}, 'NO_VIDEO_STREAM'],
    ['crowded.mkv', {}, 'INPUT_TOO_LARGE'],
    ['needle.mp4', {}, 'INPUT_TOO_LARGE'],
    ['damaged.mp4', { onDamage: 'strict' }, 'INPUT_CORRUPT'],
    ['cut-moov-first.mp4', {}, 'INPUT_TRUNCATED'],
  ])('that is refused leaves nothing behind, and stays as it was: %s', async (name, more, code) => {
    const input = await upload(`refused-${name}`, name)
    const output = `results/refused-${name}/`
    await expect(
      handling.handle(transcode, { input, output, params: { ...params, ...more }, tools: studio.tools }),
    ).rejects.toMatchObject({ code, exitCode: 65 })
    expect(await handling.workshop.outputs(output)).toEqual([])
    const { etag, bytes } = await handling.storage.inspect(
      { bucket: input.bucket, key: input.key },
      new AbortController().signal,
    )
    expect({ etag, bytes }).toEqual({
      etag: input.etag,
      bytes: (await readFile(await studio.clip(name))).length,
    })
  })

  test.each([
    ['spaces and brackets', 'My Wedding (1) [final].mp4'],
    ['letters of everywhere', 'été/日本の結婚式 🎬.mp4'],
    ['percent signs', '100%25 %2F..%2e%2e.mp4'],
    ['an option', '-y -i.mp4'],
    ['a protocol', 'concat:a|b.mp4'],
    ['a shell', "\"; touch $(x) `y` && 'z'.mp4"],
    ['a kilobyte', `${'a'.repeat(1020)}.mp4`],
  ])('whose key is %s is taken like any other, and its name is nowhere used', async (_, key) => {
    const input = await upload(key, 'short.mp4')
    const { files, output, leftovers } = await handling.handle(transcode, {
      input,
      params,
      tools: studio.tools,
    })
    expect(files.map((file) => file.key)).toContain(`${output}master.m3u8`)
    expect(files.every((file) => /^[\w/.-]+$/.test(file.key))).toBe(true)
    expect(leftovers.sort()).toEqual(['input', 'output'])
  })
})
