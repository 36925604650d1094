import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { manifestSchema } from '../../schemas/manifest.ts'
import { transcodeMetadataSchema } from '../../schemas/metadata.ts'
import { clipMaker, npmMediaTools } from '../support/clips.ts'
import { fastParams } from './media.ts'
import { arnOf, openWorkshop, type Workshop } from './workshop.ts'

/** The worker as it runs in a container: a process with an environment, signals and an exit code. */

let workshop: Workshop
let video: Buffer
let ffmpegs: Record<'holiday' | 'evicted' | 'fenced', Awaited<ReturnType<typeof ffmpegThat>>>
let tools: Awaited<ReturnType<typeof npmMediaTools>>
beforeAll(async () => {
  workshop = await openWorkshop()
  tools = await npmMediaTools(workshop.folder)
  const clip = clipMaker(workshop.folder, tools)
  video = await readFile(await clip('plain.mp4'))
  // Made before anything is started: a script cannot run while a process that was forked meanwhile holds it open.
  ffmpegs = {
    // Reads half as fast as the video is played, so that there is progress to be seen.
    holiday: await ffmpegThat('ffmpeg-holiday', `exec "${tools.ffmpeg.path}" -readrate 0.5 "$@"`),
    evicted: await ffmpegThat('ffmpeg-evicted', 'exec sleep 60'),
    fenced: await ffmpegThat('ffmpeg-fenced', 'exec sleep 60'),
  }
})
afterAll(async () => {
  // Only a failed test leaves any.
  for (const child of children) child.kill('SIGKILL')
  await workshop.close()
})

type Ended = { exitCode: number | null; log: Record<string, unknown>[]; stderr: string }
const children: ChildProcess[] = []
const startWorker = (environment: Record<string, string>): { child: ChildProcess; ended: Promise<Ended> } => {
  const child = spawn(process.execPath, ['--import', 'tsx', 'worker/main.ts'], {
    env: { PATH: process.env.PATH ?? '', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString()
  })
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString()
  })
  const ended = once(child, 'close').then(([exitCode]: (number | null)[]) => ({
    exitCode: exitCode ?? null,
    log: stdout
      .split('\n')
      .filter((line) => line !== '')
      .map((line): Record<string, unknown> => JSON.parse(line)),
    stderr,
  }))
  return { child, ended }
}

/** An ffmpeg whose transcode is `script`; it leaves its pid and its environment behind. For the rest it is the real one. */
const ffmpegThat = async (name: string, script: string) => {
  const path = join(workshop.folder, name)
  const lines = [
    '#!/bin/sh',
    `case "$*" in *filter_complex*) env > "${path}.env"; echo $$ > "${path}.pid"; ${script};; esac`,
    `exec "${tools.ffmpeg.path}" "$@"`,
  ]
  await writeFile(path, lines.join('\n'), { mode: 0o755 })
  return {
    variables: { FFMPEG_PATH: path, FFPROBE_PATH: tools.ffprobe.path },
    environment: () => readFile(`${path}.env`, 'utf8'),
    /** Waits until it works. */
    pid: async (ended: Promise<Ended>): Promise<number> => {
      let end: Ended | undefined
      void ended.then((how) => {
        end = how
      })
      for (;;) {
        const pid = Number(await readFile(`${path}.pid`, 'utf8').catch(() => ''))
        if (pid > 0) return pid
        if (end !== undefined) throw new Error(`the worker ended without ffmpeg: ${JSON.stringify(end)}`)
        await sleep(20)
      }
    },
  }
}

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

const putTranscode = async (jobId: string) => {
  const input = await workshop.upload(`${jobId}.mp4`, video)
  await workshop.putJob(jobId, { input, params: fastParams() })
}

// Most of it is waiting, so the processes run side by side.
describe.concurrent('the worker process', () => {
  test('turns an upload into renditions, tells its progress, reports, and exits with 0', async () => {
    await putTranscode('holiday')
    const ffmpeg = ffmpegs.holiday
    const { ended } = startWorker({ ...workshop.environmentOf('holiday'), ...ffmpeg.variables })
    const percents: number[] = []
    let isRunning = true
    void ended.then(() => {
      isRunning = false
    })
    while (isRunning) {
      const progress = (await workshop.record('holiday'))?.progress as
        | { percent: number; stage: string }
        | undefined
      if (progress !== undefined) percents.push(progress.percent)
      await sleep(50)
    }
    const { exitCode, log, stderr } = await ended
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' })

    const record = await workshop.record('holiday')
    expect(record).toMatchObject({
      claim: { taskArn: arnOf('one') },
      progress: { percent: 100, stage: 'publish' },
      report: {
        outcome: 'done',
        result: {
          manifest: 'results/holiday/manifest.json',
          master: 'results/holiday/master.m3u8',
          poster: 'results/holiday/poster.jpg',
          renditions: ['360p', '180p'],
          warnings: 0,
        },
      },
    })
    // Between nothing and all there was something to see.
    expect(percents.filter((percent) => percent > 5 && percent < 95).length).toBeGreaterThan(0)
    expect(percents).toEqual(percents.toSorted((a, b) => a - b))

    const manifest = manifestSchema.parse(
      JSON.parse((await workshop.output('results/holiday/manifest.json')).content.toString()),
    )
    const stored = (await workshop.outputs('results/holiday/')).filter(
      (key) => !key.endsWith('manifest.json'),
    )
    expect(new Set(manifest.files.map(({ key }) => key))).toEqual(new Set(stored))
    const metadata = (await workshop.output('results/holiday/metadata.json')).content.toString()
    expect(transcodeMetadataSchema.parse(JSON.parse(metadata)).renditions).toHaveLength(2)

    expect(log.every((line) => line.jobId === 'holiday' && typeof line.fence === 'string')).toBe(true)
    const seen = await ffmpeg.environment()
    expect(seen).toMatch(/^LANG=C\.UTF-8$/m)
    expect(seen).not.toMatch(/AWS|ECS|JOB_ID|FENCE/)
    expect(await workshop.leftovers('holiday')).toEqual([])
  })

  test('refuses a playlist that is named .mp4, with 65 and a sentence', async () => {
    await workshop.putJob('playlist', {
      input: await workshop.upload('playlist.mp4', Buffer.from('#EXTM3U\nfile:///etc/hostname\n')),
      params: fastParams(),
    })
    const { exitCode } = await startWorker(workshop.environmentOf('playlist')).ended
    expect(exitCode).toBe(65)
    expect((await workshop.record('playlist'))?.report).toMatchObject({
      outcome: 'failed',
      exitCode: 65,
      code: 'INPUT_FORMAT_REFUSED',
      message: 'The input is of a kind that is not accepted: it is a playlist.',
    })
    expect(await workshop.outputs('results/playlist/')).toEqual([])
  })

  test('on SIGTERM stops ffmpeg, cleans up, reports that it was interrupted, and exits with 143', async () => {
    await putTranscode('evicted')
    const ffmpeg = ffmpegs.evicted
    const { child, ended } = startWorker({ ...workshop.environmentOf('evicted'), ...ffmpeg.variables })
    const pid = await ffmpeg.pid(ended)
    await sleep(300)
    expect(isAlive(pid)).toBe(true)
    const startMs = Date.now()
    child.kill('SIGTERM')
    expect(await ended).toMatchObject({ exitCode: 143 })
    expect(Date.now() - startMs).toBeLessThan(10_000)
    expect(isAlive(pid)).toBe(false)
    expect((await workshop.record('evicted'))?.report).toMatchObject({
      outcome: 'interrupted',
      exitCode: 143,
    })
    expect(await workshop.outputs('results/evicted/')).toEqual([])
    expect(await workshop.leftovers('evicted')).toEqual([])
  })

  test('that loses the job stops ffmpeg and exits with 76, without manifest or report', async () => {
    await putTranscode('fenced')
    const ffmpeg = ffmpegs.fenced
    const { ended } = startWorker({ ...workshop.environmentOf('fenced'), ...ffmpeg.variables })
    const pid = await ffmpeg.pid(ended)
    await workshop.replaceFence('fenced')
    expect(await ended).toMatchObject({ exitCode: 76 })
    expect(isAlive(pid)).toBe(false)
    expect(await workshop.record('fenced')).not.toHaveProperty('report')
    expect(await workshop.outputs('results/fenced/')).toEqual([])
  })

  test('without a variable exits with 78 and names it', async () => {
    const { FENCE: _, ...rest } = workshop.environmentOf('incomplete')
    const { exitCode, log } = await startWorker(rest).ended
    expect(exitCode).toBe(78)
    expect(log).toEqual([
      expect.objectContaining({
        code: 'ENVIRONMENT_INVALID',
        msg: expect.stringContaining('FENCE is not set'),
      }),
    ])
  })

  test('without ffmpeg exits with 78 and says how to get it', async () => {
    await putTranscode('toolless')
    const { exitCode } = await startWorker({
      ...workshop.environmentOf('toolless'),
      FFMPEG_PATH: join(workshop.folder, 'absent'),
    }).ended
    expect(exitCode).toBe(78)
    expect((await workshop.record('toolless'))?.report).toMatchObject({ code: 'FFMPEG_MISSING' })
  })
})
