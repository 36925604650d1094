import { get } from './api.js'
import { costLines } from './costs.js'
import { h, keyed, part } from './dom.js'
import { isLive, phaseMark, phases, progressBar } from './phase.js'
import { moment } from './times.js'
import { share } from './words.js'

const pageSize = 50
const pageMax = 1000
const kinds = () => document.querySelector('meta[name=kinds]').content.split(' ')

/** All jobs: phases with their counts, limits, what needs a person, and the table. The filter stands in the address. */
export function listView({ query, openTo }) {
  let limit = pageSize
  const filter = {
    phase: query.get('phase') ?? '',
    kind: query.get('kind') ?? '',
    queue: query.get('queue') ?? '',
  }
  const counts = part('nav', { class: 'phases', 'aria-label': 'Phases' }, (byPhase) =>
    phaseLinks(byPhase, filter),
  )
  const limits = part('div', { class: 'limits' }, limitMeters)
  const costs = part('div', { class: 'costs' }, costLines)
  const attention = part('div', {}, attentionList)
  const choices = part('div', { class: 'choices' }, ({ queues }) => filterChoices(queues, filter, openTo))
  const rows = keyed(h('tbody'), ({ job }) => job.jobId, jobRow)
  const more = part(
    'div',
    { class: 'more' },
    (left) =>
      left &&
      h(
        'button',
        {
          type: 'button',
          onclick: () => {
            limit = Math.min(pageMax, limit * 2)
            openTo.refresh()
          },
        },
        'Show more',
      ),
  )
  const empty = part('div', {}, (state) => state && emptyText(filter))
  const table = h(
    'table',
    { class: 'jobs' },
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        ...['Phase', 'Job', 'Kind', 'Progress', 'Attempts', 'Queue', 'When'].map((name) =>
          h('th', { scope: 'col' }, name),
        ),
      ),
    ),
    rows.element,
  )

  return {
    title: 'Jobs',
    element: h(
      'div',
      { class: 'list' },
      counts.element,
      limits.element,
      costs.element,
      attention.element,
      choices.element,
      h('div', { class: 'card table' }, table, empty.element, more.element),
    ),
    async refresh(status) {
      counts.show(status?.phases ?? {})
      limits.show(status === undefined ? undefined : { limits: status.limits, queues: status.queues })
      costs.show(status?.costs ?? [])
      attention.show(status?.attention ?? [])
      choices.show({ queues: status?.queues.map(({ name }) => name) ?? [] })
      const { jobs, why, progress, nextToken } = await get('/jobs', { ...filter, limit })
      rows.show(
        jobs.map((job) => ({ job: shortened(job, progress[job.jobId]), why: why[job.jobId]?.why ?? '' })),
      )
      table.hidden = jobs.length === 0
      empty.show(jobs.length === 0)
      more.show(nextToken !== undefined && limit < pageMax)
    },
  }
}

/** Where a filter leads. */
const hrefOf = (filter) => {
  const given = Object.entries(filter).filter(([, value]) => value !== '')
  return given.length === 0 ? '#/' : `#/?${new URLSearchParams(given)}`
}

function phaseLinks(byPhase, filter) {
  const sum = Object.values(byPhase).reduce((total, count) => total + count, 0)
  const link = (phase, label, count) =>
    h(
      'a',
      {
        class: `chip ${phase === '' ? '' : phase.toLowerCase()}${count ? '' : ' zero'}`,
        href: hrefOf({ ...filter, phase }),
        'aria-current': filter.phase === phase ? 'true' : undefined,
      },
      label,
      h('b', {}, count === undefined ? '' : String(count)),
    )
  const known = Object.keys(byPhase).length > 0
  return [
    link('', 'All', known ? sum : undefined),
    ...phases.map((phase) => link(phase, phaseMark(phase), known ? (byPhase[phase] ?? 0) : undefined)),
  ]
}

function limitMeters(given) {
  if (given === undefined) return undefined
  const { limits, queues } = given
  const meter = (name, used, max, unit) =>
    h(
      'div',
      { class: 'meter' },
      h('span', {}, name),
      h('progress', {
        max: 100,
        value: share(used, max),
        class: share(used, max) > 90 && 'high',
        'aria-label': `${name} in use`,
      }),
      h('span', { class: 'numbers' }, h('b', {}, used), ` of ${max}${unit}, ${Math.max(0, max - used)} free`),
    )
  return [
    meter('Tasks', limits.running, limits.maxRunning, ''),
    meter('vCPU', limits.vcpu, limits.maxVcpu, ''),
    ...queues
      .filter(({ maxRunning, maxVcpu }) => maxRunning !== undefined || maxVcpu !== undefined)
      .map(({ name, running, maxRunning, vcpu, maxVcpu }) =>
        maxRunning === undefined
          ? meter(`Queue ${name}`, vcpu, maxVcpu, ' vCPU')
          : meter(`Queue ${name}`, running, maxRunning, ''),
      ),
  ]
}

const attentionList = (entries) =>
  entries.length > 0 &&
  h(
    'section',
    { class: 'attention', 'aria-label': 'Needs a person' },
    h('h2', {}, 'Needs a person'),
    h(
      'ul',
      {},
      ...entries.map(({ jobId, why }) => h('li', {}, h('a', { href: jobHref(jobId) }, jobId), ' ', why)),
    ),
  )

function filterChoices(queues, filter, openTo) {
  const choose = (name, label, values) =>
    h(
      'label',
      {},
      label,
      h(
        'select',
        { name, onchange: (event) => openTo(hrefOf({ ...filter, [name]: event.target.value })) },
        h('option', { value: '' }, 'all'),
        ...[...new Set([...values, filter[name]])]
          .filter((value) => value !== '')
          .map((value) => h('option', { value, selected: value === filter[name] }, value)),
      ),
    )
  return [
    choose('kind', 'Kind', kinds()),
    choose('queue', 'Queue', queues),
    Object.values(filter).some((value) => value !== '') && h('a', { href: '#/' }, 'Show everything'),
  ]
}

const emptyText = (filter) =>
  Object.values(filter).some((value) => value !== '')
    ? h('p', { class: 'empty' }, 'No job is like this.')
    : h(
        'p',
        { class: 'empty' },
        'There are no jobs yet. ',
        h('a', { href: '#/upload' }, 'Upload a file'),
        ', POST one to /jobs, or put a record into the table.',
      )

export const jobHref = (jobId) => `#/jobs/${encodeURIComponent(jobId)}`

/** Only what a row shows, so that a heartbeat that moves nothing visible changes nothing. */
const shortened = (job, progress) => ({
  jobId: job.jobId,
  phase: job.phase,
  kind: job.kind,
  progress: progress && { percent: progress.percent && Math.floor(progress.percent), stage: progress.stage },
  attempts: attemptsText(job),
  queue: job.settings?.queue ?? job.spec?.queue,
  when: whenOf(job),
})

/** Counted attempts of the limit; the one that is under way counts with them. Those of a pipeline are its children's. */
export function attemptsText({ phase, counts, settings, pipeline }) {
  const max = settings?.limits?.attempts
  if (pipeline !== undefined) return ''
  if (typeof max !== 'number' || typeof counts?.failed !== 'number') return ''
  return `${counts.failed + (isLive(phase) || phase === 'Succeeded' ? 1 : 0)} / ${max}`
}

/** The one time that matters: when it ended, when its task started, or how long it has been there. */
function whenOf({ finishedAt, attempts, createdAt, phase }) {
  if (typeof finishedAt === 'string') return ['ended', finishedAt]
  const open = Array.isArray(attempts) ? attempts.find(({ outcome }) => outcome === undefined) : undefined
  if (isLive(phase) && open)
    return open.startedAt ? ['started', open.startedAt] : ['launched', open.launchedAt]
  return ['created', createdAt]
}

function jobRow({ job, why }) {
  const [word, at] = job.when
  return h(
    'tr',
    {},
    h('td', { class: 'c-phase' }, phaseMark(job.phase)),
    h(
      'td',
      { class: 'c-job' },
      h('a', { href: jobHref(job.jobId), title: job.jobId }, job.jobId),
      h('p', { class: 'c-why', title: why }, why),
    ),
    h('td', { class: 'c-kind' }, String(job.kind ?? '–')),
    h('td', { class: 'c-progress' }, progressBar(job)),
    h('td', { class: 'c-attempts', title: 'counted attempts of the limit' }, job.attempts),
    h('td', { class: 'c-queue' }, String(job.queue ?? '')),
    h('td', { class: 'c-when' }, `${word} `, moment(at)),
  )
}
