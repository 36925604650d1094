import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { recordingSchema } from '../../schemas/recording.ts'
import type { Demo, Stage } from './demo.ts'

/** A live stream of HLS, made in real time and served on loopback: segments of a second, a window of five. */
async function goLive({ scratch, tools, atEnd }: Stage): Promise<string> {
  const folder = join(scratch, 'live')
  await mkdir(folder)
  const encoder = spawn(
    tools.ffmpeg.path,
    [
      ...['-nostdin', '-v', 'error', '-re', '-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=25'],
      ...['-re', '-f', 'lavfi', '-i', 'sine=frequency=440'],
      ...['-c:v', 'libx264', '-preset', 'ultrafast', '-g', '25', '-pix_fmt', 'yuv420p', '-c:a', 'aac'],
      ...['-f', 'hls', '-hls_time', '1', '-hls_list_size', '5', '-hls_flags', 'delete_segments+temp_file'],
      join(folder, 'live.m3u8'),
    ],
    { stdio: 'ignore', env: tools.env },
  )
  const server = createServer((request, response) => {
    readFile(join(folder, basename(request.url ?? ''))).then(
      (content) => response.end(content),
      () => response.writeHead(404).end(),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  atEnd(async () => {
    encoder.kill('SIGKILL')
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  })
  while (!existsSync(join(folder, 'live2.ts'))) await sleep(100)
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/live.m3u8`
}

type Progress = { job: { progress?: { stage?: string; percent?: number; etaS?: number } } }

export const demo: Demo = {
  // What stands on this machine is private, and an operator has to open it.
  configuration: { PRIVATE_SOURCES: '127.0.0.1' },
  async start(stage) {
    const url = await goLive(stage)
    stage.say(`live               ${url}`)
    const job = { url, spec: { params: { segmentSeconds: 2, maxDuration: 600 } } }
    const { jobId } = await stage.ask<{ jobId: string }>('/jobs', job)
    return jobId
  },
  /** Lets it record for ten seconds, then stops it: what there is by then is kept. */
  async meanwhile({ ask, say }, jobId) {
    const isRecording = async () => {
      const { job } = await ask<Progress>(`/jobs/${jobId}`)
      return job.progress?.stage === 'record'
    }
    while (!(await isRecording())) await sleep(200)
    await sleep(10_000)
    await ask(`/jobs/${jobId}/cancel`, {})
    say('cancelled          after ten seconds')
  },
  endsAs: 'Cancelled',
  hint: '(play index.m3u8)',
  async check({ say, tools }, folder) {
    const recording = recordingSchema.parse(
      JSON.parse(await readFile(join(folder, 'recording.json'), 'utf8')),
    )
    say(
      `recorded           ${recording.durationS} s in ${recording.segments} segments, ${recording.bytes} bytes, end: ${recording.end}`,
    )
    if (recording.end !== 'cancelled' || recording.durationS < 5) throw new Error('It was not recorded whole')
    const playlist = await readFile(join(folder, 'index.m3u8'), 'utf8')
    if (!playlist.includes('#EXT-X-ENDLIST')) throw new Error('The playlist has no end')
    await play(tools, join(folder, 'index.m3u8'))
    say('played             every frame of it')
  },
}

async function play({ ffmpeg, env }: Stage['tools'], path: string): Promise<void> {
  const player = spawn(ffmpeg.path, ['-nostdin', '-v', 'error', '-xerror', '-i', path, '-f', 'null', '-'], {
    stdio: 'ignore',
    env,
  })
  const exitCode = await new Promise((resolve) => player.once('close', resolve))
  if (exitCode !== 0) throw new Error(`The playlist does not play: exit code ${exitCode}`)
}
