import { h } from './dom.js'
import { duration } from './words.js'

/** In the order of a job's life. */
export const phases = [
  'Submitted',
  'Pending',
  'Starting',
  'Running',
  'Stopping',
  'Succeeded',
  'Failed',
  'Cancelled',
]

export const isFinished = (phase) => ['Succeeded', 'Failed', 'Cancelled'].includes(phase)
export const isLive = (phase) => ['Starting', 'Running', 'Stopping'].includes(phase)

/** Dot and word: colour is never the only sign. A word that is none of ours is shown, and has no colour. */
export const phaseMark = (phase) =>
  h(
    'span',
    { class: `phase ${phases.includes(phase) ? phase.toLowerCase() : ''}` },
    h('i', {}),
    String(phase ?? '–'),
  )

const hue = {
  success: 'succeeded',
  cancelled: 'cancelled',
  suspended: 'cancelled',
  spot: 'stopping',
  infrastructure: 'stopping',
  lost: 'stopping',
}

/** How an attempt ended. */
export const outcomeMark = (outcome) =>
  outcome === undefined
    ? h('span', { class: 'phase running' }, h('i', {}), 'under way')
    : h('span', { class: `phase ${hue[outcome.class] ?? 'failed'}` }, h('i', {}), outcome.class)

/** The bar of a job: full when it succeeded, and none where there is nothing to show. */
export function progressBar({ phase, progress }) {
  if (phase === 'Succeeded')
    return h('span', { class: 'progress' }, h('progress', { max: 100, value: 100 }), h('b', {}, '100 %'))
  const percent = progress?.percent
  if (!isLive(phase) || typeof percent !== 'number')
    return isLive(phase) && progress?.stage
      ? h('span', { class: 'progress' }, h('small', {}, progress.stage))
      : undefined
  return h(
    'span',
    { class: 'progress' },
    h('progress', { max: 100, value: percent, 'aria-label': 'progress' }),
    h('b', {}, `${Math.floor(percent)} %`),
    h('small', {}, [progress.stage, leftOf(progress)].filter(Boolean).join(', ')),
  )
}

const leftOf = ({ etaS }) => typeof etaS === 'number' && `about ${duration(etaS * 1000)} left`
