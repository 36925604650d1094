import { Transform } from 'node:stream'

/**
 * A radio's sound without the titles in it: after every so many bytes comes one that says how long the title is, in units of
 * 16 bytes, and then the title.
 */
export const withoutTitles = (every: number): Transform => {
  let soundLeft = every
  let titleLeft = 0
  return new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      const sound: Buffer[] = []
      for (let at = 0; at < chunk.length; ) {
        const rest = chunk.length - at
        if (titleLeft > 0) {
          const length = Math.min(titleLeft, rest)
          titleLeft -= length
          at += length
        } else if (soundLeft > 0) {
          const length = Math.min(soundLeft, rest)
          sound.push(chunk.subarray(at, at + length))
          soundLeft -= length
          at += length
        } else {
          titleLeft = (chunk[at] ?? 0) * 16
          soundLeft = every
          at += 1
        }
      }
      done(null, Buffer.concat(sound))
    },
  })
}
