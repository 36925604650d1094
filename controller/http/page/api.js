import { setClock } from './words.js'

const tokenName = 'token'

/** An answer that is not what was asked for: its sentences are fit for people. */
export class Refusal extends Error {
  constructor(status, { code = '', message = `The answer was ${status}.`, problems = [] }) {
    super([message, ...problems.map(({ field, value, rule }) => `${field}: ${value}: ${rule}`)].join(' '))
    this.status = status
    this.code = code
  }
}

/** Kept in this tab only, and gone with it. */
export const setToken = (token) =>
  token === '' ? sessionStorage.removeItem(tokenName) : sessionStorage.setItem(tokenName, token)

export const hasToken = () => sessionStorage.getItem(tokenName) !== null

async function call(method, path, body) {
  const token = sessionStorage.getItem(tokenName)
  const response = await fetch(path, {
    method,
    headers: {
      accept: 'application/json',
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  setClock(response.headers.get('date'))
  const answer = await response.json().catch(() => ({}))
  if (!response.ok) throw new Refusal(response.status, answer)
  return answer
}

/** @param {Record<string, string | number | undefined>} query */
export const get = (path, query = {}) => {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== '')
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString()
  return call('GET', text === '' ? path : `${path}?${text}`)
}

export const post = (path, body) => call('POST', path, body)

/** What is not there is `undefined`; everything else that goes wrong is thrown. */
export const getIfThere = (path, query) =>
  get(path, query).catch((error) => {
    if (error instanceof Refusal && error.status === 404) return undefined
    throw error
  })

export const jobPath = (jobId) => `/jobs/${encodeURIComponent(jobId)}`
