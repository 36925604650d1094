import { actionButtons } from './actions.js'
import { get, jobPath } from './api.js'
import { h, part } from './dom.js'
import { attemptsText } from './list.js'
import { outputsPart } from './outputs.js'
import { isFinished, outcomeMark, phaseMark, progressBar } from './phase.js'
import { costOfChildren, parentOf, stepsOf } from './steps.js'
import { moment, span } from './times.js'
import { exact, usd } from './words.js'

/** One job: what is wanted and what is, its way so far, its attempts and what it made. */
export function jobView({ jobId, openTo, report }) {
  const head = part('div', { class: 'job-head' }, (job) => headOf(job, { refresh: openTo.refresh, report }))
  const why = part('p', { class: 'why' }, (text) => text)
  const attention = part(
    'div',
    {},
    (text) => text && h('p', { class: 'attention' }, h('b', {}, 'Needs a person: '), text),
  )
  const bar = part('div', { class: 'job-progress' }, unfinishedBar)
  const state = part('dl', { class: 'state card' }, stateOf)
  const timeline = part('section', { class: 'card' }, timelineOf)
  const attempts = part('section', { class: 'card wide' }, (data) =>
    data.pipeline === undefined
      ? attemptsOf(jobId, data)
      : // A job that its own task has split has both.
        [...stepsOf(data.pipeline), ...(data.attempts.length > 0 ? attemptsOf(jobId, data) : [])],
  )
  const outputs = outputsPart(jobId)
  const result = part(
    'div',
    {},
    (value) => value && h('section', { class: 'card' }, h('h2', {}, 'Result'), json(value)),
  )
  const record = part('section', { class: 'card wide' }, recordOf)

  return {
    title: jobId,
    element: h(
      'div',
      { class: 'job' },
      h('nav', { class: 'crumbs' }, h('a', { href: '#/' }, '← All jobs')),
      head.element,
      why.element,
      attention.element,
      bar.element,
      state.element,
      outputs.element,
      attempts.element,
      h('div', { class: 'columns' }, timeline.element, result.element),
      record.element,
    ),
    async refresh() {
      const answer = await get(jobPath(jobId))
      const { job } = answer
      head.show({
        jobId,
        phase: job.phase,
        kind: job.kind,
        queue: job.settings?.queue,
        parent: job.settings?.parent,
        generation: job.generation,
        cancel: job.spec?.cancel === true,
        suspend: job.spec?.suspend === true,
      })
      why.show(answer.why)
      attention.show(answer.attention ?? '')
      bar.show({ phase: job.phase, progress: answer.progress })
      state.show(stateFrom(job, answer.until))
      timeline.show({
        createdAt: job.createdAt,
        history: asList(job.history),
        finished: isFinished(job.phase),
      })
      attempts.show({
        attempts: asList(job.attempts),
        rollup: job.rollup,
        pipeline: job.pipeline,
        finished: isFinished(job.phase),
      })
      result.show(job.result)
      record.show(job)
      await outputs.refresh(job)
    },
  }
}

const asList = (value) => (Array.isArray(value) ? value : [])

const headOf = (job, ports) => [
  h('div', {}, h('h1', {}, job.jobId), h('p', { class: 'sub' }, phaseMark(job.phase), ...subOf(job))),
  h('div', { class: 'buttons' }, ...actionButtons(job, ports)),
]

const subOf = ({ kind, queue, generation, parent }) => [
  h('span', {}, String(kind ?? '')),
  queue && h('span', {}, `queue ${queue}`),
  parentOf(parent),
  generation > 1 && h('span', { title: 'run again so many times' }, `generation ${generation}`),
]

const unfinishedBar = (job) => !isFinished(job.phase) && progressBar(job)

/** Side by side, like every reconciler: what is wanted, what is seen, why that differs, and when somebody looks again. */
const stateFrom = (
  { phase, spec, reason, message, source, taskArn, claim, progress, counts, settings, costUsd, pipeline },
  until,
) => ({
  wanted: isFinished(phase)
    ? 'nothing more'
    : spec?.cancel === true
      ? 'Cancelled'
      : spec?.suspend === true
        ? 'Suspended'
        : 'Succeeded',
  phase,
  task: (claim?.taskArn ?? taskArn)?.split('/').at(-1),
  claimedAt: claim?.at,
  beatAt: claim ? progress?.at : undefined,
  reason,
  message,
  until: isFinished(phase) ? undefined : until,
  finished: isFinished(phase),
  attempts: attemptsText({ phase, counts, settings, pipeline }),
  lost: counts?.infra,
  costUsd: pipeline ? costOfChildren(pipeline) + (costUsd ?? 0) : costUsd,
  source,
})

function stateOf({
  wanted,
  phase,
  task,
  claimedAt,
  beatAt,
  reason,
  message,
  until,
  finished,
  attempts,
  lost,
  costUsd,
  source,
}) {
  const cell = (name, ...content) => h('div', {}, h('dt', {}, name), h('dd', {}, ...content))
  return [
    cell('Wanted', wanted),
    cell(
      'Seen',
      phaseMark(phase),
      task && h('small', { title: task }, `task ${task.slice(0, 8)}`),
      claimedAt && h('small', {}, 'claimed ', moment(claimedAt)),
      beatAt && h('small', {}, 'heartbeat ', moment(beatAt)),
    ),
    cell(
      'Reason',
      String(reason ?? '–'),
      message && h('small', {}, message),
      source && h('small', {}, sourceWords[source] ?? source),
    ),
    cell('Next look', nextLook(finished, until)),
    cell('Attempts', attempts || '–', lost > 0 && h('small', {}, `${lost} lost to the infrastructure`)),
    cell('Cost', usd(costUsd), h('small', {}, 'estimated, of attempts that have ended')),
  ]
}

/** What became of an input that was to be deleted after success. */
const sourceWords = {
  deleting: 'its input is being deleted',
  deleted: 'its input was deleted, as asked',
  replaced: 'its input was not deleted: another object has its key',
  notAllowed: 'its input was not deleted: the controller may not',
}

const nextLook = (finished, until) => {
  if (finished) return 'none: it is finished'
  return until ? ['when something happens, at the latest ', moment(until)] : 'when something happens'
}

function timelineOf({ createdAt, history, finished }) {
  const entries = [{ at: createdAt, phase: 'Submitted', reason: '' }, ...history]
  return [
    h('h2', {}, 'Timeline'),
    h(
      'ol',
      { class: 'timeline' },
      ...entries.map((entry, index) => {
        const next = entries[index + 1]?.at
        const isLast = index === entries.length - 1
        return h(
          'li',
          {},
          phaseMark(entry.phase),
          h(
            'span',
            { class: 'reason' },
            entry.reason,
            entry.rule && h('small', { title: 'the rule that decided' }, ` by ${entry.rule}`),
          ),
          h('span', { class: 'at' }, moment(entry.at)),
          h('span', { class: 'span' }, isLast && finished ? '' : span(entry.at, next)),
          entry.message && h('p', {}, entry.message),
        )
      }),
    ),
  ]
}

function attemptsOf(jobId, { attempts, rollup, finished }) {
  if (attempts.length === 0)
    return [h('h2', {}, 'Attempts'), h('p', { class: 'empty' }, finished ? 'None.' : 'None yet.')]
  const names = ['#', 'Outcome', 'Exit', 'Duration', 'Started', 'Where', 'Cost', 'Reason', 'Log']
  return [
    h('h2', {}, 'Attempts'),
    h(
      'div',
      { class: 'scroll' },
      h(
        'table',
        { class: 'attempts' },
        h('thead', {}, h('tr', {}, ...names.map((name) => h('th', { scope: 'col' }, name)))),
        h('tbody', {}, ...attempts.toReversed().map((attempt) => attemptRow(jobId, attempt))),
      ),
    ),
    rollup &&
      h(
        'p',
        { class: 'sub' },
        `${rollup.count} older attempts are added up: `,
        Object.entries(rollup.byClass)
          .map(([name, count]) => `${count} ${name}`)
          .join(', '),
      ),
  ]
}

const attemptRow = (jobId, attempt) => {
  const { n, launches, outcome, startedAt, stoppedAt, launchedAt, taskArn, logStream } = attempt
  const hasLog = typeof logStream === 'string' && !logStream.endsWith('/')
  return h(
    'tr',
    {},
    h('td', {}, n, launches > 1 && h('small', { title: 'launches of this attempt' }, ` ×${launches}`)),
    h('td', {}, outcomeMark(outcome)),
    h('td', {}, outcome?.exitCode ?? '–', outcome?.stopCode && h('small', {}, ` ${outcome.stopCode}`)),
    h('td', {}, startedAt ? span(startedAt, stoppedAt ?? (outcome ? startedAt : undefined)) : '–'),
    h('td', { title: `launched ${exact(launchedAt)}` }, moment(startedAt ?? launchedAt)),
    h(
      'td',
      { title: taskArn },
      `${attempt.capacity}, ${attempt.cpu / 1024} vCPU, ${attempt.memory} MiB`,
      attempt.architecture === 'arm64' && ', arm64',
      h('small', {}, ` ${attempt.taskDefinition}`),
    ),
    h('td', {}, usd(attempt.costUsd)),
    h('td', { class: 'reason' }, outcome?.reason ?? ''),
    h('td', {}, hasLog ? h('a', { href: `#/jobs/${encodeURIComponent(jobId)}/log/${n}` }, 'Log') : '–'),
  )
}

function recordOf(job) {
  const folded = (name, value) => value !== undefined && h('details', {}, h('summary', {}, name), json(value))
  return [
    h('h2', {}, 'Record'),
    folded('Spec: what was asked for', job.spec),
    folded('Settings: what applies', job.settings),
    folded('Everything', job),
  ]
}

const json = (value) => h('pre', { class: 'json' }, JSON.stringify(value, null, 2))
