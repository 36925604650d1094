import { h } from './dom.js'
import { moment, span } from './times.js'
import { usd } from './words.js'

/** Steps and children of a pipeline; nothing before the first has begun. */
export function stepsOf(pipeline) {
  const steps = Array.isArray(pipeline?.steps) ? pipeline.steps : []
  if (steps.length === 0) return []
  const names = ['Step', 'Child', 'Kind', 'State', 'Begun', 'Duration', 'Cost', 'Reason']
  return [
    h('h2', {}, 'Steps'),
    h(
      'div',
      { class: 'scroll' },
      h(
        'table',
        { class: 'attempts' },
        h('thead', {}, h('tr', {}, ...names.map((name) => h('th', { scope: 'col' }, name)))),
        h('tbody', {}, ...steps.flatMap(rowsOf)),
      ),
    ),
  ]
}

const rowsOf = ({ name, begunAt, endedAt, children }) =>
  (Array.isArray(children) ? children : []).map((child, index) =>
    h(
      'tr',
      {},
      h('td', {}, index === 0 ? name : ''),
      h('td', {}, jobLink(child.jobId)),
      h('td', {}, child.kind),
      h('td', {}, stateWords[child.state] ?? child.state),
      h('td', {}, moment(begunAt)),
      h('td', {}, span(begunAt, endedAt)),
      h('td', {}, usd(child.costUsd)),
      h('td', { class: 'reason' }, child.message ?? child.reason ?? ''),
    ),
  )

/** What the children of a pipeline have cost so far: its own record knows only of attempts of its own. */
export const costOfChildren = (pipeline) =>
  (pipeline.steps ?? [])
    .flatMap(({ children }) => children)
    .reduce((sum, { costUsd = 0 }) => sum + costUsd, 0)

const stateWords = { intended: 'to be made', put: 'under way' }

const jobLink = (jobId) => h('a', { href: `#/jobs/${encodeURIComponent(jobId)}` }, jobId)

/** Of a child: where it comes from. */
export const parentOf = (parent) =>
  typeof parent === 'string' && h('span', {}, 'a step of ', jobLink(parent.split('/')[0]))
