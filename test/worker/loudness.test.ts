import { spawnSync } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loudnessArguments } from '../../worker/media/loudness.ts'
import type { ClipName } from '../support/clips.ts'
import { openStudio } from './media.ts'

let studio: Awaited<ReturnType<typeof openStudio>>
beforeAll(async () => {
  studio = await openStudio()
})
afterAll(() => studio.remove())

test('loudness is asked for by one run over the finished sound, behind the guard', () => {
  expect(loudnessArguments('/out/audio/index.m3u8', 60)).toEqual([
    ...['-y', '-nostdin', '-hide_banner', '-v', 'info', '-nostats'],
    ...['-stats_period', '0.5', '-progress', 'pipe:1', '-timelimit', '1800'],
    ...['-protocol_whitelist', 'file,crypto,data', '-format_whitelist', 'hls,mov,mp4'],
    ...['-allowed_extensions', 'ALL', '-i', 'file:/out/audio/index.m3u8'],
    ...['-map', '0:a:0', '-af', 'ebur128=peak=true:framelog=verbose', '-f', 'null', '-'],
  ])
})

/** What another measurement of the same kind says about the input itself. */
const secondOpinion = async (name: ClipName): Promise<number> => {
  const { ffmpeg, env } = studio.npm
  const input = await studio.clip(name)
  const { stderr: said } = spawnSync(
    ffmpeg.path,
    [
      ...['-nostdin', '-v', 'info', '-i', input, '-map', '0:a:0'],
      ...['-af', 'loudnorm=print_format=json', '-f', 'null', '-'],
    ],
    { env, encoding: 'utf8' },
  )
  const json = JSON.parse(said.slice(said.lastIndexOf('{'), said.lastIndexOf('}') + 1))
  return Number(json.input_i)
}

describe('the loudness of a real video', () => {
  test.each<ClipName>(['loud.mp4', 'plain.mp4', 'surround.mp4'])(
    '%s is that of its input, as another filter measures it',
    async (name) => {
      const { metadata } = await studio.transcodeClip(name)
      const opinion = await secondOpinion(name)
      expect(Math.abs((metadata.loudness?.integratedLufs ?? 99) - opinion)).toBeLessThan(0.6)
    },
  )

  test('a sine at half amplitude in both channels: -6 LUFS, by calculation', async () => {
    // Its peak is higher than -6 dBTP: the encoder overshoots where the sine begins, and that will be heard.
    const { metadata } = await studio.transcodeClip('loud.mp4')
    expect(metadata.loudness?.integratedLufs).toBeCloseTo(-6, 0)
    expect(metadata.loudness?.truePeakDbtp).toBeGreaterThanOrEqual(-6.1)
    expect(metadata.loudness?.truePeakDbtp).toBeLessThan(0)
  })

  test('nothing but silence says so', async () => {
    const { metadata } = await studio.transcodeClip('mute.mp4')
    expect(metadata.loudness).toEqual({ integratedLufs: null, rangeLu: 0, truePeakDbtp: null })
  })

  test('no audio: no loudness', async () => {
    const { metadata } = await studio.transcodeClip('silent.mp4')
    expect(metadata.loudness).toBeNull()
  })
})
