import { post } from './api.js'
import { h } from './dom.js'
import { jobHref } from './list.js'

/** Name a stream; it becomes a recording, until it ends or somebody cancels it. */
export function streamForm({ openTo }) {
  const url = h('input', {
    type: 'url',
    id: 'stream',
    required: true,
    placeholder: 'https://example.com/live.m3u8',
    oninput: () => {
      send.disabled = url.value === ''
    },
  })
  const state = h('p', { class: 'sub', role: 'status' })
  const send = h('button', { type: 'submit', class: 'primary', disabled: true }, 'Record')
  return h(
    'form',
    {
      class: 'card upload',
      onsubmit: async (event) => {
        event.preventDefault()
        send.disabled = true
        state.className = 'sub'
        state.textContent = ''
        await post('/jobs', { url: url.value })
          .then(({ jobId }) => openTo(jobHref(jobId)))
          .catch((error) => {
            state.className = 'sub wrong'
            state.textContent = error.message
          })
        send.disabled = false
      },
    },
    h('label', { class: 'field', for: 'stream' }, 'Or record a stream: HLS, Icecast, RTMP or RTSP', url),
    state,
    send,
  )
}
