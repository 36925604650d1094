import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { probeOwn } from '../../worker/media/own-probe.ts'
import { uploadWithMetadata } from '../demo-upload.ts'
import { makeVideo } from '../demo-video.ts'
import type { Demo } from './demo.ts'

const videoS = 30
const framesPerSecond = 30

/** A video is long from ten minutes on; here it is from ten seconds on. */
const metadata = { 'job-shard-threshold': '10', 'job-shard-seconds': '6' }

let isOurs = true

export const demo: Demo = {
  async start(stage) {
    const { file, scratch, tools, say } = stage
    isOurs = file === undefined
    if (file !== undefined) return uploadWithMetadata(stage, 'transcode', file, metadata)
    say(`making a ${videoS} s video with ffmpeg ${tools.ffmpeg.version} (${tools.ffmpeg.source})`)
    const path = join(scratch, 'demo.mp4')
    await makeVideo(tools.ffmpeg.path, path, videoS)
    return uploadWithMetadata(stage, 'transcode', path, metadata)
  },
  hint: '(play master.m3u8 with ffplay, mpv or VLC)',
  async check({ tools, say }, folder) {
    const renditions = (await readdir(folder)).filter((name) => /^\d+p$/.test(name))
    for (const rendition of renditions) {
      const path = join(folder, rendition, 'index.m3u8')
      const streams = await probeOwn(path, { tools, signal: AbortSignal.timeout(60_000) })
      const frames = streams.find(({ codec_type }) => codec_type === 'video')?.packets
      say(`${rendition.padEnd(18)} ${frames} frames in one piece`)
      if (isOurs && frames !== videoS * framesPerSecond)
        throw new Error(`${rendition} has ${frames} frames, and the video ${videoS * framesPerSecond}`)
    }
    if (renditions.length === 0) throw new Error('there are no renditions')
  },
}
