import { h } from './dom.js'
import { duration, exact, nowMs, relative } from './words.js'

/** A moment, relative to now, exact on hover; `tick` keeps it right. */
export function moment(iso) {
  if (typeof iso !== 'string') return h('span', { class: 'none' }, '–')
  return h('time', { datetime: iso, title: exact(iso), 'data-form': 'relative' }, relative(iso))
}

/** How long from one moment to the other, or until now. */
export function span(from, to) {
  if (typeof from !== 'string') return h('span', { class: 'none' }, '–')
  const title = to === undefined ? `since ${exact(from)}` : `${exact(from)} to ${exact(to)}`
  if (to !== undefined) return h('span', { title }, duration(Date.parse(to) - Date.parse(from)))
  return h('time', { datetime: from, title, 'data-form': 'since' }, duration(nowMs() - Date.parse(from)))
}

/** Brings every moment on the page up to date. */
export function tick() {
  for (const element of document.querySelectorAll('time[data-form]')) {
    const text =
      element.dataset.form === 'since'
        ? duration(nowMs() - Date.parse(element.dateTime))
        : relative(element.dateTime)
    if (element.textContent !== text) element.textContent = text
  }
}
