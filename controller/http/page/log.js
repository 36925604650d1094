import { get, getIfThere, jobPath } from './api.js'
import { h } from './dom.js'
import { jobHref } from './list.js'
import { exact } from './words.js'

const firstLines = 500
const keptLines = 5000

/** The log of one attempt: its last lines, and then what is written while one looks. */
export function logView({ jobId, attempt }) {
  const lines = h('ol', { class: 'log', 'aria-label': 'Log lines' })
  const note = h('p', { class: 'sub' }, 'Reading …')
  let next

  const add = (page) => {
    const atEnd = window.innerHeight + window.scrollY >= document.documentElement.scrollHeight - 40
    lines.append(...page.lines.map(logLine))
    while (lines.children.length > keptLines) lines.firstElementChild.remove()
    next = page.next
    if (page.lines.length > 0 && atEnd) window.scrollTo({ top: document.documentElement.scrollHeight })
  }

  return {
    title: `Log of ${jobId}`,
    element: h(
      'div',
      { class: 'job' },
      h('nav', { class: 'crumbs' }, h('a', { href: jobHref(jobId) }, `← ${jobId}`)),
      h('h1', {}, `Log of attempt ${attempt}`),
      note,
      h('div', { class: 'card wide' }, lines),
    ),
    async refresh() {
      const path = `${jobPath(jobId)}/logs`
      if (next === undefined) {
        const page = await getIfThere(path, { attempt, from: 'end', limit: firstLines })
        note.textContent =
          page === undefined
            ? 'Nothing has been written yet.'
            : `Stream ${page.stream}, followed while you look.`
        if (page) add(page)
        return
      }
      add(await get(path, { attempt, next }))
    },
  }
}

const levels = { 10: 'trace', 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' }

/** What all lines of one log share. */
const shared = ['time', 'level', 'msg', 'jobId', 'fence']

/** Lines of our own programs are JSON and are shown readable, with the time that they say; everything else as it is. */
function logLine({ at, message }) {
  const line = parsed(message)
  const when = Number.isNaN(new Date(line?.time ?? Number.NaN).getTime())
    ? at
    : new Date(line.time).toISOString()
  const time = h('time', { datetime: when, title: exact(when) }, exact(when).slice(11, 19))
  if (line === undefined) return h('li', {}, time, h('span', {}, message))
  const fields = Object.entries(line).filter(([name]) => !shared.includes(name))
  return h(
    'li',
    { class: levels[line.level], title: message },
    time,
    h('span', {}, line.msg, ...fields.map(([name, value]) => h('small', {}, ` ${name}=${textOf(value)}`))),
  )
}

const textOf = (value) => (typeof value === 'string' ? value : JSON.stringify(value))

function parsed(message) {
  try {
    const value = JSON.parse(message)
    return typeof value?.msg === 'string' ? value : undefined
  } catch {
    return undefined
  }
}
