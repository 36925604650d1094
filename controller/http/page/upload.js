import { post } from './api.js'
import { h } from './dom.js'
import { jobHref } from './list.js'
import { streamForm } from './stream.js'
import { bytes, duration } from './words.js'

/** Choose or drop a file; it goes straight to S3, and becomes a job. */
export function uploadView({ openTo }) {
  const file = h('input', { type: 'file', id: 'file', onchange: () => chosen(file.files[0]) })
  const kinds = document.querySelector('meta[name=upload-kinds]').content.split(' ')
  const kind = h(
    'select',
    { id: 'kind' },
    h('option', { value: '' }, 'by its name'),
    ...kinds.map((name) => h('option', { value: name }, name)),
  )
  const name = h('p', { class: 'file-name' }, 'Choose a file, or drop it here')
  const progress = h('progress', { max: 100, value: 0, hidden: true, 'aria-label': 'upload' })
  const state = h('p', { class: 'sub', role: 'status' })
  const send = h('button', { type: 'submit', class: 'primary', disabled: true }, 'Upload')
  let picked

  const chosen = (one) => {
    picked = one
    name.textContent = one ? `${one.name} (${bytes(one.size)})` : 'Choose a file, or drop it here'
    send.disabled = one === undefined
  }

  const upload = async () => {
    const startedMs = performance.now()
    const { uploadId, url, headers } = await post('/uploads', {
      filename: picked.name,
      bytes: picked.size,
      ...(kind.value === '' ? {} : { kind: kind.value }),
      ...(/^[\w.+-]+\/[\w.+-]+$/.test(picked.type) ? { contentType: picked.type } : {}),
    })
    progress.hidden = false
    await put(url, headers, picked, (sent) => {
      progress.value = picked.size === 0 ? 100 : (sent / picked.size) * 100
      const leftMs = ((performance.now() - startedMs) / sent) * (picked.size - sent)
      state.textContent = `${bytes(sent)} of ${bytes(picked.size)}${sent > 0 && leftMs > 1000 ? `, about ${duration(leftMs)} left` : ''}`
    })
    state.textContent = 'Uploaded. Making the job …'
    const { jobId } = await post(`/uploads/${uploadId}/confirm`)
    openTo(jobHref(jobId))
  }

  const form = h(
    'form',
    {
      class: 'card upload',
      onsubmit: async (event) => {
        event.preventDefault()
        send.disabled = true
        state.className = 'sub'
        await upload().catch((error) => {
          state.className = 'sub wrong'
          state.textContent = error.message
        })
        send.disabled = false
      },
      ondragover: (event) => {
        event.preventDefault()
        form.classList.add('over')
      },
      ondragleave: () => form.classList.remove('over'),
      ondrop: (event) => {
        event.preventDefault()
        form.classList.remove('over')
        chosen(event.dataTransfer.files[0])
      },
    },
    h('label', { class: 'drop', for: 'file' }, name, file),
    h('label', { class: 'field', for: 'kind' }, 'What to do with it', kind),
    progress,
    state,
    send,
  )
  return {
    title: 'Upload',
    element: h(
      'div',
      { class: 'job' },
      h('nav', { class: 'crumbs' }, h('a', { href: '#/' }, '← All jobs')),
      h('h1', {}, 'Upload a file'),
      form,
      streamForm({ openTo }),
    ),
    refresh: async () => {},
  }
}

/** fetch cannot tell how much has been sent; this can. */
const put = (url, headers, body, onSent) =>
  new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open('PUT', url)
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value)
    request.upload.addEventListener('progress', ({ loaded }) => onSent(loaded))
    request.addEventListener('load', () =>
      request.status === 200
        ? resolve()
        : reject(new Error(`The storage refused the file: ${request.status}.`)),
    )
    request.addEventListener('error', () => reject(new Error('The storage could not be reached.')))
    request.send(body)
  })
