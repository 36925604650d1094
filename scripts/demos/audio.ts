import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { audioMetadataSchema } from '../../schemas/audio-metadata.ts'
import { makeTalk } from '../demo-talk.ts'
import { uploadWithMetadata } from '../demo-upload.ts'
import type { Demo } from './demo.ts'

const targetLufs = -18

/** As `x-amz-meta-job-<parameter>` of the upload: no request but the upload itself. */
const metadata = {
  'job-formats': JSON.stringify(['mp3', 'aac', 'opus', 'flac']),
  'job-loudness': JSON.stringify({ targetLufs }),
  'job-trim-silence': JSON.stringify({ inner: true }),
  'job-preview': JSON.stringify({ startS: 2, lengthS: 10 }),
}

export const demo: Demo = {
  async start(stage) {
    const { file, scratch, tools, say } = stage
    if (file !== undefined) return uploadWithMetadata(stage, 'audio', file, metadata)
    const path = join(scratch, 'talk.mp4')
    say(`made a 30 s talk: ${await makeTalk(tools.ffmpeg.path, path, scratch)}`)
    return uploadWithMetadata(stage, 'audio', path, metadata)
  },
  hint: '(look at the .waveform.png, listen to the .preview.mp3)',
  async check({ say }, folder) {
    const text = await readFile(join(folder, 'metadata.json'), 'utf8')
    const { loudness, normalization, outputs, trimmed, warnings } = audioMetadataSchema.parse(
      JSON.parse(text),
    )
    const { startS = 0, endS = 0, innerS = 0, pauses = 0 } = trimmed ?? {}
    say(
      `loudness           ${loudness.integratedLufs} LUFS before, ${normalization?.type} way to ${targetLufs}`,
    )
    for (const { name, loudness: made } of outputs)
      say(`  ${name.padEnd(17)}${made.integratedLufs} LUFS, peak ${made.truePeakDbtp} dBTP`)
    say(`silence cut        ${(startS + endS + innerS).toFixed(2)} s, with ${pauses} pauses shortened`)
    for (const { message } of warnings) say(`note               ${message}`)
    const missed = outputs.find(({ loudness: made }) => Math.abs((made.integratedLufs ?? 0) - targetLufs) > 1)
    if (missed !== undefined) throw new Error(`${missed.name} has ${missed.loudness.integratedLufs} LUFS`)
  },
}
