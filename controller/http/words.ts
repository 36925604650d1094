const secondMs = 1000
const minuteMs = 60 * secondMs
const hourMs = 60 * minuteMs
const dayMs = 24 * hourMs

/** `0.4 s` is `0 s`, 75 s is `1 min 15 s`: the two largest units, none below the second. */
export function duration(ms: number): string {
  const whole = Math.max(0, Math.floor(ms / secondMs)) * secondMs
  const [large, small] = units.flatMap(({ name, ms: unitMs }, index) => {
    const larger = units[index - 1]?.ms ?? Number.POSITIVE_INFINITY
    const count = Math.floor((whole % larger) / unitMs)
    return count > 0 ? [{ text: `${count} ${name}`, index }] : []
  })
  if (!large) return '0 s'
  return small && small.index === large.index + 1 ? `${large.text} ${small.text}` : large.text
}

const units = [
  { name: 'd', ms: dayMs },
  { name: 'h', ms: hourMs },
  { name: 'min', ms: minuteMs },
  { name: 's', ms: secondMs },
] as const

/** `10:02:11 UTC`, with the date in front where that is not today's. */
export function clock(time: string, nowMs: number): string {
  const [date = '', rest = ''] = time.split('T')
  const today = new Date(nowMs).toISOString().slice(0, 10)
  return `${date === today ? '' : `${date} `}${rest.slice(0, 8)} UTC`
}

/** `in 14 s`; of a time that has passed, `now`. */
export const inTime = (time: string, nowMs: number): string => {
  const leftMs = Date.parse(time) - nowMs
  return leftMs <= 0 ? 'now' : `in ${duration(leftMs)}`
}

/** A time so many milliseconds after another; kept within what a Date can hold, because records may hold anything. */
export const afterMs = (time: string | number, ms: number): string => {
  const startMs = typeof time === 'number' ? time : Date.parse(time)
  return new Date(Math.max(0, Math.min(Number.isNaN(startMs) ? 0 : startMs + ms, latestMs))).toISOString()
}
const latestMs = Date.UTC(9999, 11, 31)

export const after = (time: string, seconds: number): string => afterMs(time, seconds * secondMs)

const sentenceMax = 300

/** One sentence with its full stop: what we say, and after a colon what somebody else said, as far as there is room. */
export function sentence(words: string, said = ''): string {
  const whole = [words, firstSentence(said)].filter((part) => part !== '').join(': ')
  return whole.length < sentenceMax ? `${whole}.` : `${whole.slice(0, sentenceMax - 2)}….`
}

/** Others wrote it, in as many sentences as they liked. */
export const firstSentence = (text: string): string =>
  (
    text
      .trim()
      .replaceAll(/\s+/g, ' ')
      .split(/(?<=[.!?])\s(?=\p{Lu})/u)[0] ?? ''
  ).replace(/[.!?…]+$/, '')
