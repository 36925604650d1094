import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { readTags } from '../../worker/audio/tags.ts'
import { lookAtAudio, madeArguments } from '../../worker/audio/verify.ts'
import type { MediaTools } from '../../worker/ffmpeg.ts'
import { inputLimits } from '../../worker/media/limits.ts'
import { askOwn, ownProbeArguments, probeOwn } from '../../worker/media/own-probe.ts'
import { probeInput } from '../../worker/media/probe.ts'
import { runFfprobe } from '../../worker/media/run-ffprobe.ts'
import { inspectArguments, inspectPiece } from '../../worker/media/shards-inspect.ts'
import { readTimeline } from '../../worker/media/shards-timeline.ts'
import { clipMaker, npmMediaTools } from '../support/clips.ts'
import { until } from '../support/wait.ts'

// Whether an input takes long to look at says nothing about the input.

const folder = mkdtempSync(join(tmpdir(), 'slow-probe-'))
const tools = await npmMediaTools(folder)
const signal = new AbortController().signal
const input = { url: 'file:/in', guard: [] }
afterAll(() => rmSync(folder, { recursive: true, force: true }))

// The clock of the watchdogs stands still until it is told to go on; ffprobe runs in the time of this machine.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** An ffprobe that hangs without a word; where it is given a pattern, only when it is told something like that. */
const hanging = async (name: string, at = '*', otherwise = ''): Promise<MediaTools & { hangs: string }> => {
  const path = join(folder, name)
  const hangs = `${path}.hangs`
  await writeFile(
    path,
    `#!/bin/sh\ncase "$*" in ${at}) : > ${hangs}; exec /bin/sleep 60;; esac\n${otherwise}\n`,
    { mode: 0o755 },
  )
  return { ...tools, ffprobe: { ...tools.ffprobe, path }, hangs }
}

/** Lets so many seconds pass once it hangs. */
const passOnceHanging = async ({ hangs }: { hangs: string }, seconds: number): Promise<void> => {
  await until('ffprobe to hang', () => existsSync(hangs))
  vi.advanceTimersByTime(seconds * 1000)
}

const stalled = { code: 'STALLED', exitCode: 75 }

describe('an input that ffprobe says nothing of for too long is tried again, not refused', () => {
  const soundUnheard = JSON.stringify({
    format: { format_name: 'mpegts', duration: '60', start_time: '0' },
    streams: [
      { index: 0, codec_type: 'video', codec_name: 'h264', width: 160, height: 90 },
      { index: 1, codec_type: 'audio', codec_name: 'aac' },
    ],
  })
  const withoutDuration = JSON.stringify({
    format: { format_name: 'matroska,webm' },
    streams: [{ index: 0, codec_type: 'video', codec_name: 'vp8', width: 160, height: 90 }],
  })

  test.each<[string, number, string, string]>([
    ['at the first look', 30, '*', ''],
    ['while sound that begins late is looked for', 30, '*analyzeduration*', `echo '${soundUnheard}'`],
    ['while it is read whole for its duration', 120, '*duration_time*', `echo '${withoutDuration}'`],
  ])('%s: after %i s', async (name, seconds, at, otherwise) => {
    const slow = await hanging(name.replaceAll(' ', '-'), at, otherwise)
    const settled = vi.fn()
    const probed = probeInput(input, { tools: slow, limits: inputLimits, signal })
    probed.then(settled, settled)
    await passOnceHanging(slow, seconds - 1)
    expect(settled).not.toHaveBeenCalled()
    vi.advanceTimersByTime(1000)
    await expect(probed).rejects.toMatchObject(stalled)
  })

  test('while its time stamps are read', async () => {
    const slow = await hanging('timeline')
    const read = readTimeline(input, { tools: slow, signal })
    await Promise.all([expect(read).rejects.toMatchObject(stalled), passOnceHanging(slow, 120)])
  })

  test('while its tags are read: they are not lost', async () => {
    const slow = await hanging('tags')
    const read = readTags(input, 0, { tools: slow, signal })
    await Promise.all([expect(read).rejects.toMatchObject(stalled), passOnceHanging(slow, 30)])
  })

  test('the end of the work is told from a stall', async () => {
    const slow = await hanging('ended')
    const ending = new AbortController()
    const read = probeInput(input, { tools: slow, limits: inputLimits, signal: ending.signal })
    await until('ffprobe to hang', () => existsSync(slow.hangs))
    ending.abort(new Error('the end'))
    await expect(read).rejects.toThrow('the end')
  })
})

describe('how long ffprobe may take', () => {
  test('as long as it finds something new', async () => {
    const path = join(folder, 'steady')
    await writeFile(path, '#!/bin/sh\nfor n in 1 2 3 4 5 6 7 8 9; do echo $n; done\n', { mode: 0o755 })
    const steady = { ...tools, ffprobe: { ...tools.ffprobe, path } }
    const lines: string[] = []
    const onLine = (line: string) => {
      lines.push(line)
      vi.advanceTimersByTime(59_000)
    }
    const end = await runFfprobe([], { tools: steady, signal, stallMs: 60_000, onLine })
    expect([lines.length, end.exitCode]).toEqual([9, 0])
  })

  test.each([
    ['a rendition', ownProbeArguments],
    ['a piece', (path: string) => inspectArguments(path, true)],
    ['an output of sound', madeArguments],
  ])('%s that is read back whole: it tells of each packet', async (_, argumentsFor) => {
    const path = await clipMaker(folder, tools)('sound.m4a')
    let packets = 0
    const onLine = (line: string) => {
      if (line.includes('stream_index')) packets += 1
    }
    await runFfprobe(argumentsFor(path), { tools, signal, stallMs: 60_000, onLine })
    expect(packets).toBeGreaterThan(50)
    // And nothing of that is in the way of what was asked for.
    expect(await probeOwn(path, { tools, signal })).toMatchObject([{ codec_name: 'aac', packets }])
    expect(await inspectPiece(path, true, { tools, signal })).toMatchObject([{ codec: 'aac', packets }])
    expect(await lookAtAudio(path, { tools, signal })).toMatchObject({ codec: 'aac', packets })
  })
})

describe('a file of ours that ffprobe', () => {
  const schema = z.object({ streams: z.array(z.unknown()) })

  test('says nothing of for too long is made again', async () => {
    const slow = await hanging('own')
    const asked = askOwn([], schema, { tools: slow, signal })
    await Promise.all([expect(asked).rejects.toMatchObject(stalled), passOnceHanging(slow, 60)])
  })

  test.each([
    ['tells half of', `echo '{"streams": ['`, undefined],
    ['tells nothing of', '', undefined],
    ['tells something else of', `echo '{"streams": 7}'`, undefined],
    ['tells all of, and then fails', `echo '{"streams": []}'; echo broken >&2; exit 1`, undefined],
    ['tells all of', `echo '{"streams": []}'`, { streams: [] }],
  ])('%s', async (_, script, said) => {
    const path = join(folder, 'telling')
    await writeFile(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    const telling = { ...tools, ffprobe: { ...tools.ffprobe, path } }
    const answer = await askOwn([], schema, { tools: telling, signal })
    expect(answer).toEqual({ said, complaint: script.includes('broken') ? 'broken' : '' })
    if (said === undefined) {
      await expect(probeOwn('/out/a.mp4', { tools: telling, signal })).rejects.toMatchObject({
        code: 'OUTPUT_INVALID',
        message: expect.stringContaining('out/a.mp4 cannot be read back'),
      })
      await expect(inspectPiece('/out/a.mp4', true, { tools: telling, signal })).rejects.toMatchObject({
        code: 'PIECES_INVALID',
      })
    }
  })
})
