import { getIfThere, jobPath } from './api.js'
import { h } from './dom.js'
import { bytes } from './words.js'

const pageSize = 20

/**
 * What a job has published. The links in it are new each time, so it is read once for each end of the job, and again only
 * before they expire: otherwise every refresh would load the picture anew.
 */
export function outputsPart(jobId) {
  const element = h('section', { class: 'card wide outputs' })
  element.hidden = true
  let shownFor
  let expiresMs = 0

  const load = async (from = 0, files = []) => {
    const page = await getIfThere(`${jobPath(jobId)}/outputs`, { from, limit: pageSize })
    if (page === undefined) return undefined
    return { ...page, files: [...files, ...page.files] }
  }

  const show = (outputs) => {
    element.hidden = outputs === undefined
    if (outputs === undefined) return
    const { files, total, prefix, bucket, next } = outputs
    const picture = ['poster', 'waveform']
      .map((name) => files.find(({ role }) => role === name))
      .find(Boolean)
    element.replaceChildren(
      h('h2', {}, 'Outputs'),
      h(
        'p',
        { class: 'sub' },
        `${total.files} files, ${bytes(total.bytes)}, in `,
        h('code', {}, `s3://${bucket}/${prefix}`),
      ),
      h(
        'div',
        { class: 'outputs-body' },
        picture
          ? h(
              'a',
              { href: picture.url, target: '_blank', rel: 'noopener' },
              h('img', { class: 'poster', src: picture.url, alt: picture.role }),
            )
          : '',
        h(
          'div',
          { class: 'scroll' },
          h(
            'table',
            { class: 'files' },
            h(
              'thead',
              {},
              h(
                'tr',
                {},
                ...['File', 'Role', 'Size', 'Type', 'SHA-256'].map((name) => h('th', { scope: 'col' }, name)),
              ),
            ),
            h('tbody', {}, ...files.map(fileRow)),
          ),
          next === undefined
            ? ''
            : h(
                'button',
                { type: 'button', onclick: async () => show(await load(next, files)) },
                `Show more of ${total.files}`,
              ),
        ),
      ),
    )
  }

  return {
    element,
    async refresh({ phase, kind, generation, finishedAt, report, pipeline }) {
      const key = JSON.stringify([phase, generation, finishedAt, report?.fence])
      if (key === shownFor && Date.now() < expiresMs) return
      // It counts once the job has Succeeded; of a recording, also what was cut short.
      const counts = phase === 'Succeeded' || (phase === 'Cancelled' && kind === 'record')
      // Our workers say by a report that they have published; a container of the user says nothing.
      const publishes = report || pipeline || kind === 'container'
      const outputs = counts && publishes ? await load() : undefined
      show(outputs)
      shownFor = key
      expiresMs =
        outputs === undefined
          ? Number.POSITIVE_INFINITY
          : Date.now() + (Date.parse(outputs.expiresAt) - Date.now()) / 2
    },
  }
}

const fileRow = ({ name, url, role, contentType, sha256, bytes: size }) =>
  h(
    'tr',
    {},
    h('td', {}, h('a', { href: url, target: '_blank', rel: 'noopener' }, name)),
    h('td', {}, role),
    h('td', { class: 'number' }, bytes(size)),
    h('td', {}, contentType),
    h('td', {}, h('code', { title: sha256 }, sha256.slice(0, 8))),
  )
