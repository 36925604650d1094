import { hasToken, setToken } from './api.js'
import { h, part } from './dom.js'
import { moment } from './times.js'
import { duration } from './words.js'

/** The foot of the page: how the controller itself is doing. */
export function controllerPart(openTo) {
  const body = part('dl', {}, (status) => status && rows(status))
  const summary = h('summary', {}, 'Controller')
  const forget = h(
    'button',
    {
      type: 'button',
      class: 'quiet',
      onclick: () => {
        setToken('')
        openTo.refresh()
      },
    },
    'Forget the token',
  )
  return {
    element: h('details', { class: 'controller' }, summary, body.element, forget),
    show(status) {
      summary.textContent =
        status === undefined ? 'Controller: not heard of yet' : `Controller ${status.leader.id}`
      body.show(
        status && { ...status, at: undefined, ageMs: undefined, phases: undefined, attention: undefined },
      )
      forget.hidden = !hasToken()
    },
  }
}

const rows = ({ leader, workqueue, pacers, lastPollAt, lastSweepAt, lastScanAt, intake }) =>
  [
    ['Mode', leader.mode],
    ['Since', moment(leader.since)],
    ['Work queue', `${workqueue.running} under way, ${workqueue.ready} ready, ${workqueue.waiting} waiting`],
    ['Behind by', duration(workqueue.lagMs)],
    ['Dropped', workqueue.dropped],
    ['Last look at tasks', moment(lastPollAt)],
    ['Last sweep', moment(lastSweepAt)],
    ['Last scan', moment(lastScanAt)],
    ...Object.entries(pacers).map(([name, tokens]) => [`Tokens for ${name}`, tokens]),
    ...Object.entries(intake).map(([name, count]) => [`Messages: ${name}`, count]),
  ].map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value)))
