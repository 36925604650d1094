import { join } from 'node:path'
import { makeVideo } from '../demo-video.ts'
import type { Demo } from './demo.ts'

const videoS = 10

export const demo: Demo = {
  async start({ file, scratch, tools, say, upload }) {
    if (file !== undefined) return upload(file, 'transcode')
    say(`making a ${videoS} s video with ffmpeg ${tools.ffmpeg.version} (${tools.ffmpeg.source})`)
    const path = join(scratch, 'demo.mp4')
    await makeVideo(tools.ffmpeg.path, path, videoS)
    return upload(path, 'transcode')
  },
  hint: '(play master.m3u8 with ffplay, mpv or VLC)',
}
