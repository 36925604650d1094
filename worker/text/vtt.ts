import { type Cue, changeMark } from './cues.ts'
import { speakerNames } from './names.ts'
import { clock } from './srt.ts'

export type VttOptions = {
  /** For HLS: subtitle time 0 is time 0 of the pictures (RFC 8216, 3.5). */
  mapsTimestamps?: boolean
}

/** WebVTT, with a voice for each known speaker. Pure. */
export const vttOf = (cues: readonly Cue[], { mapsTimestamps = false }: VttOptions = {}): string => {
  const header = mapsTimestamps ? 'WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n' : 'WEBVTT\n'
  const nameOf = speakerNames(cues.map(({ speaker }) => speaker))
  return [header, ...cues.map((cue) => vttCue(cue, nameOf))].join('\n')
}

const vttCue = (cue: Cue, nameOf: (speaker: string | undefined) => string): string => {
  const lines = cue.lines.map(escaped)
  const voice = cue.speaker === undefined ? '' : `<v ${escaped(nameOf(cue.speaker))}>`
  const mark = cue.speakerChanges ? changeMark : ''
  return `${clock(cue.startMs, '.')} --> ${clock(cue.endMs, '.')}\n${voice}${mark}${lines.join('\n')}\n`
}

/** With `>` goes the arrow, which may not stand in a cue. */
const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
