import { h } from './dom.js'
import { nowMs, usd } from './words.js'

const dayMs = 86_400_000
const dayOf = (ms) => new Date(ms).toISOString().slice(0, 10)

/** What attempts that ended today and in the last seven days cost, and by queue where there is more than one. */
export function costLines(costs) {
  if (costs.length === 0) return undefined
  const today = dayOf(nowMs())
  const weekFrom = dayOf(nowMs() - 6 * dayMs)
  const week = costs.filter(({ day }) => day >= weekFrom)
  const queues = [...new Set(week.map(({ queue }) => queue))]
  const amounts = (entries) => [
    h('span', {}, 'today ', h('b', {}, usd(sum(entries.filter(({ day }) => day >= today))))),
    h('span', {}, 'last 7 days ', h('b', {}, usd(sum(entries)))),
  ]
  const line = (name, entries) => h('p', {}, h('span', { class: 'name' }, name), ...amounts(entries))
  return [
    line('Cost, estimated', week),
    ...(queues.length > 1
      ? queues.map((name) =>
          line(
            `Queue ${name}`,
            week.filter(({ queue }) => queue === name),
          ),
        )
      : []),
  ]
}

const sum = (entries) => entries.reduce((total, { costUsd }) => total + costUsd, 0)
