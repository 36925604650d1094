import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { defaultPrices } from '../../schemas/prices.ts'
import { sentenceOf } from '../../schemas/problems.ts'
import { readConfiguration } from '../../schemas/read-configuration.ts'

type Variables = Record<string, string | undefined>

const configurationOf = (environment: Variables, dotenv: Variables = {}) => {
  const read = readConfiguration(environment, dotenv)
  if (!read.ok) throw new Error(read.problems.map(sentenceOf).join('\n'))
  return read.configuration
}

const refusalOf = (environment: Variables, dotenv: Variables = {}): string[] => {
  const read = readConfiguration(environment, dotenv)
  return read.ok ? [] : read.problems.map(sentenceOf)
}

describe('where a setting comes from', () => {
  test.each<[string, Variables, Variables, number]>([
    ['nothing given: the default', {}, {}, 6],
    ['.env', {}, { MAX_VCPU: '8' }, 8],
    ['the environment', { MAX_VCPU: '9' }, {}, 9],
    ['the environment wins over .env', { MAX_VCPU: '9' }, { MAX_VCPU: '8' }, 9],
    ['an empty variable is none: .env', { MAX_VCPU: '' }, { MAX_VCPU: '8' }, 8],
    ['an empty line in .env is none: the default', {}, { MAX_VCPU: '' }, 6],
    ['spaces around a value do not count', { MAX_VCPU: ' 7 ' }, {}, 7],
  ])('%s', (_, environment, dotenv, want) => {
    expect(configurationOf(environment, dotenv).MAX_VCPU).toBe(want)
  })

  test('prices: what is given, over those of us-east-1', () => {
    const { FARGATE_PRICES: prices } = configurationOf({ FARGATE_PRICES: '{"x86_64": {"vcpuHour": 0.05}}' })
    expect(prices.x86_64).toEqual({ ...defaultPrices.x86_64, vcpuHour: 0.05 })
    expect(prices.arm64).toEqual(defaultPrices.arm64)
  })

  test('an optional setting that is empty is absent', () => {
    expect(configurationOf({ AWS_ENDPOINT_URL: '', API_TOKEN: '  ' })).not.toHaveProperty('AWS_ENDPOINT_URL')
  })
})

describe('what is refused', () => {
  test.each<[string, Variables, Variables, string[]]>([
    ['a word for a number', { MAX_VCPU: 'many' }, {}, ['MAX_VCPU: "many"', 'must be a number from 0']],
    ['a number out of bounds', { PORT: '70000' }, {}, ['PORT: "70000"', 'must be a port number']],
    ['broken JSON', { QUEUES: '{"a"' }, {}, ['QUEUES:', 'must be JSON']],
    [
      'a price below nothing',
      { FARGATE_PRICES: '{"arm64": {"vcpuHour": -1}}' },
      {},
      ['FARGATE_PRICES.arm64.vcpuHour', 'must not be below 0'],
    ],
    [
      'a rule for uploads whose sizes nothing has',
      { UPLOAD_TRIGGERS: '[{"minBytes": 10, "maxBytes": 5, "jobs": []}]' },
      {},
      ['UPLOAD_TRIGGERS[0].maxBytes: 5 is not allowed: must not be below minBytes (10)'],
    ],
    ['a value in .env', {}, { LOG_LEVEL: 'loud' }, ['LOG_LEVEL: "loud"']],
    ['an unknown name in .env', {}, { WORKERS: '3' }, ['WORKERS', '.env', 'does not exist']],
    ['a slip in .env', {}, { MAX_VCPUS: '3' }, ['MAX_VCPUS', 'did you mean MAX_VCPU?']],
    ['a slip in the environment', { MAX_VCPUS: '3' }, {}, ['MAX_VCPUS', 'did you mean MAX_VCPU?']],
    [
      'swapped letters',
      { LOCAL_AWS_PROT: '1' },
      {},
      ['LOCAL_AWS_PROT', 'environment', 'mean LOCAL_AWS_PORT?'],
    ],
    ['a slip in an AWS name of ours', { AWS_REGIN: 'x' }, {}, ['AWS_REGIN', 'did you mean AWS_REGION?']],
    ['an AWS name that no SDK reads, in .env', {}, { AWS_PROFIL: 'x' }, ['AWS_PROFIL']],
  ])('%s', (_, environment, dotenv, parts) => {
    const problems = refusalOf(environment, dotenv)
    expect(problems).toHaveLength(1)
    for (const part of parts) expect(problems[0]).toContain(part)
  })

  test('every problem is named, not only the first', () => {
    expect(refusalOf({ PORT: 'x', MAX_VCPUS: '1' }, { NO_SUCH: '1', LOG_LEVEL: 'loud' })).toHaveLength(4)
  })

  test('neither a token nor the value of an unknown name is shown', () => {
    const text = refusalOf({ API_TOKEN: 'hunter2' }, { STRIPE_KEY: 'sk_live_1' }).join('\n')
    expect(text).toContain('API_TOKEN')
    expect(text).toContain('STRIPE_KEY')
    expect(text).not.toMatch(/hunter2|sk_live_1/)
  })
})

describe('what is left alone', () => {
  test.each([
    ['a name far from all of ours', 'EDITOR'],
    ['a short name one letter off', 'POST'],
    ['six letters, two off', 'QUOTES'],
    ['the host name of the machine', 'HOSTNAME'],
    ['a variable of npm', 'npm_config_cache'],
    ['AWS_PROFILE', 'AWS_PROFILE'],
    ['AWS_DEFAULT_REGION', 'AWS_DEFAULT_REGION'],
    ['AWS_ENDPOINT_URL_S3', 'AWS_ENDPOINT_URL_S3'],
    ['what a Fargate task finds', 'AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'],
  ])('%s', (_, name) => {
    expect(refusalOf({ [name]: 'x' })).toEqual([])
  })

  test('a slip without a value', () => {
    expect(refusalOf({ MAX_VCPUS: '' })).toEqual([])
  })

  test('AWS credentials in .env', () => {
    expect(refusalOf({}, { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' })).toEqual([])
  })
})

describe('a process that loads its configuration', () => {
  const directories: string[] = []
  afterEach(async () => {
    for (const directory of directories.splice(0)) await rm(directory, { recursive: true })
  })

  const run = async (dotenv: string, environment: Variables) => {
    const directory = await mkdtemp(join(tmpdir(), 'configuration-'))
    directories.push(directory)
    await writeFile(join(directory, '.env'), dotenv)
    const script = `
      import { loadConfiguration } from '${resolve('schemas/read-configuration.ts')}'
      const { MAX_VCPU } = loadConfiguration('${directory}')
      process.stdout.write(JSON.stringify({ MAX_VCPU, profile: process.env.AWS_PROFILE }))`
    return new Promise<{ code: number; stdout: string; stderr: string }>((done) => {
      execFile(
        process.execPath,
        ['--import', 'tsx', '--input-type=module', '--eval', script],
        { env: { PATH: process.env.PATH, ...environment } },
        (error, stdout, stderr) => done({ code: error ? Number(error.code) : 0, stdout, stderr }),
      )
    })
  }

  test('reads .env, and hands AWS settings in it on to the SDK', async () => {
    const { code, stdout } = await run('MAX_VCPU=4 # a comment\nAWS_PROFILE=mine\n', {})
    expect({ code, ...JSON.parse(stdout) }).toEqual({ code: 0, MAX_VCPU: 4, profile: 'mine' })
  })

  test('exits 78 with one line for each problem', async () => {
    const { code, stderr } = await run('NOPE=1\n', { PORT: 'x' })
    expect(code).toBe(78)
    expect(stderr.trim().split('\n')).toHaveLength(2)
  })
})
