let offsetMs = 0

/** The time of the server: clocks of visitors may be wrong, and then every "3 s ago" would be. */
export const nowMs = () => Date.now() + offsetMs

/** @param {string | null} date the header `Date` of an answer; it has whole seconds only, so small differences are none */
export function setClock(date) {
  const differenceMs = Date.parse(date ?? '') - Date.now()
  if (Math.abs(differenceMs) > 3000) offsetMs = differenceMs
  else if (!Number.isNaN(differenceMs)) offsetMs = 0
}

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
]

/** 75 s is `1 min 15 s`; only the two largest units count. */
export function duration(ms) {
  let rest = Math.max(0, Math.round(ms / 1000)) * 1000
  const parts = []
  for (const [name, unitMs] of units) {
    const count = Math.floor(rest / unitMs)
    rest -= count * unitMs
    if (count > 0) parts.push(`${count} ${name}`)
    else if (parts.length > 0) break
  }
  return parts.slice(0, 2).join(' ') || '0 s'
}

/** From now: `3 min ago`, `in 14 s`. One unit is enough to look at. */
export function relative(iso) {
  const ms = Date.parse(iso) - nowMs()
  if (Number.isNaN(ms)) return String(iso)
  if (Math.abs(ms) < 1000) return 'now'
  const [count, unit] = duration(Math.abs(ms)).split(' ')
  return ms < 0 ? `${count} ${unit} ago` : `in ${count} ${unit}`
}

/** `2026-11-22 10:02:11 UTC` */
export const exact = (iso) =>
  Number.isNaN(Date.parse(iso))
    ? String(iso)
    : `${new Date(iso).toISOString().slice(0, 19).replace('T', ' ')} UTC`

/** 1_234_567 is `1.2 MB`. */
export function bytes(count) {
  const names = ['B', 'kB', 'MB', 'GB', 'TB']
  let value = count
  let at = 0
  while (value >= 1000 && at < names.length - 1) {
    value /= 1000
    at += 1
  }
  return `${value.toFixed(at === 0 || value >= 100 ? 0 : 1)} ${names[at]}`
}

/** Small amounts keep the digits that make them differ: `$12.30`, `$0.0042`. */
export function usd(amount) {
  if (typeof amount !== 'number') return '–'
  if (amount > 0 && amount < 0.0001) return '< $0.0001'
  return `$${amount.toFixed(amount === 0 || amount >= 0.1 ? 2 : 4)}`
}

/** Part of the whole in percent, at the most 100. */
export const share = (used, whole) => (whole > 0 ? Math.min(100, (used / whole) * 100) : 100)
