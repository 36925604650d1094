import { jobPath, post } from './api.js'
import { h } from './dom.js'
import { isFinished } from './phase.js'

/** What can be asked of a job in its state; what cannot is not there. */
export function actionButtons({ jobId, kind, phase, cancel, suspend }, { refresh, report }) {
  const ask = (action) => async () => {
    try {
      await post(`${jobPath(jobId)}/${action}`)
      report('')
    } catch (error) {
      report(error.message)
    }
    refresh()
  }
  const button = (action, label, attributes = {}) =>
    h('button', { type: 'button', onclick: ask(action), ...attributes }, label)
  if (isFinished(phase)) return [button('retry', 'Run again')]
  return [
    suspend ? button('resume', 'Resume') : button('suspend', 'Suspend'),
    cancel
      ? h('button', { type: 'button', disabled: true }, 'Cancel asked')
      : h(
          'button',
          {
            type: 'button',
            class: 'danger',
            onclick: async () => {
              const sure = await confirmed(
                `Cancel ${jobId}?`,
                kind === 'record'
                  ? 'It ends here, and what was recorded is kept.'
                  : 'Its task is stopped. Run it again any time.',
                'Cancel the job',
              )
              if (sure) await ask('cancel')()
            },
          },
          'Cancel',
        ),
  ]
}

/** Asks, and resolves with the answer; Escape is a no. */
function confirmed(title, text, yes) {
  const close = (answer) => () => dialog.close(answer)
  const dialog = h(
    'dialog',
    { 'aria-label': title },
    h('h2', {}, title),
    h('p', {}, text),
    h(
      'div',
      { class: 'buttons' },
      h('button', { type: 'button', onclick: close('no') }, 'Keep it'),
      h('button', { type: 'button', class: 'danger', onclick: close('yes') }, yes),
    ),
  )
  document.body.append(dialog)
  dialog.showModal()
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove()
      resolve(dialog.returnValue === 'yes')
    })
  })
}
