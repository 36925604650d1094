import { get, Refusal, setToken } from './api.js'
import { controllerPart } from './controller.js'
import { h } from './dom.js'
import { jobView } from './job.js'
import { listView } from './list.js'
import { logView } from './log.js'
import { tick } from './times.js'
import { uploadView } from './upload.js'
import { duration } from './words.js'

const everyMs = 2000
/** A leader that has been silent for this long is worth a word: it publishes every few seconds. */
const silentMs = 30_000

const main = document.querySelector('#main')
const notice = document.querySelector('#notice')
const freshness = document.querySelector('#freshness')
const pause = document.querySelector('#pause')

let view
let paused = false
let refreshing = false
let again = false

/** Goes to a place of this page. */
const openTo = (href) => {
  location.hash = href.replace(/^#/, '')
}
openTo.refresh = () => void refresh()

const controller = controllerPart(openTo)
document.querySelector('#controller').append(controller.element)

/** `#/`, `#/jobs/<id>`, `#/jobs/<id>/log/<attempt>`, `#/upload` */
function viewAt(hash) {
  const [path = '', search = ''] = hash.replace(/^#/, '').split('?')
  const [, first, id, third, attempt] = path.split('/')
  if (first === 'upload') return uploadView({ openTo })
  if (first === 'jobs' && id) {
    const jobId = decoded(id)
    return third === 'log' ? logView({ jobId, attempt }) : jobView({ jobId, openTo, report })
  }
  return listView({ query: new URLSearchParams(search), openTo })
}

const decoded = (text) => {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

function open() {
  report('')
  view = viewAt(location.hash)
  document.title = view.title
  main.replaceChildren(view.element)
  window.scrollTo(0, 0)
  void refresh()
}

/** Reads and shows everything once. What is asked for meanwhile happens right after. */
async function refresh() {
  if (refreshing) {
    again = true
    return
  }
  refreshing = true
  const current = view
  try {
    const status = await readStatus()
    controller.show(status)
    await current.refresh(status)
    if (current === view) warn(silence(status))
    document.body.classList.remove('stale')
  } catch (error) {
    if (current === view) failed(error)
  }
  tick()
  showFreshness()
  refreshing = false
  if (again || current !== view) {
    again = false
    void refresh()
  }
}

const readStatus = () =>
  get('/status').catch((error) => {
    if (error instanceof Refusal && error.code === 'STATUS_UNKNOWN') return undefined
    throw error
  })

const silence = (status) => {
  if (status === undefined)
    return 'No controller has reported yet: jobs are taken in, and nothing happens to them.'
  return status.ageMs > silentMs
    ? `No controller has reported for ${duration(status.ageMs)}: what you see may be old.`
    : ''
}

function failed(error) {
  document.body.classList.add('stale')
  if (error instanceof Refusal && error.status === 401) askForToken(error)
  else if (error instanceof Refusal) warn(error.message)
  else warn('The controller cannot be reached. This page keeps trying.')
}

/** What a user did that was refused; stays until the next time. What the state of things is comes and goes by itself. */
let reported = ''
function report(message) {
  reported = message
  warn('')
}

function warn(message) {
  const text = reported || message
  notice.hidden = text === ''
  if (notice.textContent !== text) notice.textContent = text
}

function askForToken(error) {
  if (main.querySelector('#token')) return
  setToken('')
  const input = h('input', { id: 'token', type: 'password', autocomplete: 'off', required: true })
  main.replaceChildren(
    h(
      'form',
      {
        class: 'card token',
        onsubmit: (event) => {
          event.preventDefault()
          setToken(input.value)
          open()
        },
      },
      h('h1', {}, 'Token'),
      h(
        'p',
        {},
        error.code === 'TOKEN_INVALID' ? 'That token is not valid.' : 'This controller asks for one.',
      ),
      h('label', { for: 'token' }, 'API_TOKEN, or API_READ_TOKEN to look only'),
      input,
      h('button', { type: 'submit', class: 'primary' }, 'Go on'),
    ),
  )
  input.focus()
}

function showFreshness() {
  document.body.classList.toggle('paused', paused)
  freshness.textContent = paused ? 'paused' : 'live'
}

pause.addEventListener('click', () => {
  paused = !paused
  pause.textContent = paused ? 'Resume' : 'Pause'
  pause.setAttribute('aria-pressed', String(paused))
  showFreshness()
  if (!paused) void refresh()
})

// A tab that nobody sees reads nothing.
const isWatched = () => !paused && document.visibilityState === 'visible' && !main.querySelector('#token')
document.addEventListener('visibilitychange', () => isWatched() && void refresh())
window.addEventListener('hashchange', open)
setInterval(() => isWatched() && void refresh(), everyMs)
setInterval(tick, 1000)
open()
