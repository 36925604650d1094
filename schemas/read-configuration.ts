import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { distance } from 'fastest-levenshtein'
import { type Configuration, configurationNames, configurationSchema } from './configuration.ts'
import { exitCodes } from './exit-codes.ts'
import { type Problem, problemsOf, sentenceOf } from './problems.ts'

type Variables = Readonly<Record<string, string | undefined>>

export type ReadConfiguration =
  | { ok: true; configuration: Configuration }
  | { ok: false; problems: readonly Problem[] }

/**
 * Every setting of a process, or everything that is wrong with them. The environment wins over `.env`; an empty value
 * counts as none. In `.env`, which is ours, an unknown name is a mistake. The environment is shared with every other
 * program, so there only a name that looks like a slip of one of ours is.
 */
export const readConfiguration = (environment: Variables, dotenv: Variables): ReadConfiguration => {
  const settings = Object.fromEntries(
    configurationNames.flatMap((name) => {
      const value = given(environment[name]) ?? given(dotenv[name])
      return value === undefined ? [] : [[name, value]]
    }),
  )
  const parsed = configurationSchema.safeParse(settings)
  const problems = [
    ...unknownNames(dotenv).map((name) => unknownName(name, '.env')),
    ...slips(environment).map((name) => unknownName(name, 'the environment')),
    ...(parsed.success ? [] : problemsOf(parsed.error, settings)),
  ]
  return parsed.success && problems.length === 0
    ? { ok: true, configuration: parsed.data }
    : { ok: false, problems }
}

const given = (text: string | undefined): string | undefined => (text?.trim() ? text.trim() : undefined)

/**
 * Names that the AWS SDKs and the AWS CLI read themselves (AWS SDKs and Tools reference guide, environment variables). They
 * may stand in `.env` too and are then handed on to the SDK.
 */
const awsNames =
  /^AWS_(ACCESS_KEY_ID|SECRET_ACCESS_KEY|SESSION_TOKEN|PROFILE|DEFAULT_PROFILE|DEFAULT_REGION|DEFAULT_OUTPUT|CONFIG_FILE|SHARED_CREDENTIALS_FILE|CA_BUNDLE|ROLE_ARN|ROLE_SESSION_NAME|WEB_IDENTITY_TOKEN_FILE|MAX_ATTEMPTS|RETRY_MODE|DEFAULTS_MODE|STS_REGIONAL_ENDPOINTS|USE_DUALSTACK_ENDPOINT|USE_FIPS_ENDPOINT|IGNORE_CONFIGURED_ENDPOINT_URLS|ENDPOINT_URL_[A-Z0-9_]+|EC2_[A-Z0-9_]+|CONTAINER_[A-Z0-9_]+|REQUEST_[A-Z0-9_]+|RESPONSE_[A-Z0-9_]+|S3_[A-Z0-9_]+|SDK_[A-Z0-9_]+|EXECUTION_ENV|PAGER)$/

const isKnown = (name: string): boolean => configurationNames.includes(name) || awsNames.test(name)

const unknownNames = (dotenv: Variables): string[] => Object.keys(dotenv).filter((name) => !isKnown(name))

const slips = (environment: Variables): string[] =>
  Object.keys(environment).filter(
    (name) => !isKnown(name) && given(environment[name]) !== undefined && nearest(name) !== undefined,
  )

/**
 * The setting that was probably meant: one edit away, or two (so that swapped letters count) in a name of at least eight
 * characters. Shorter names are close to too many innocent ones.
 */
const nearest = (name: string): string | undefined => {
  if (name.length < 6) return undefined
  const farthest = name.length < 8 ? 1 : 2
  return configurationNames
    .map((known) => ({ known, edits: distance(name, known) }))
    .filter(({ edits }) => edits <= farthest)
    .sort((a, b) => a.edits - b.edits)[0]?.known
}

/** The value is never shown: what a name that we do not know holds may be a secret. */
const unknownName = (name: string, place: string): Problem => {
  const meant = nearest(name)
  const hint = meant === undefined ? 'docs/configuration.md lists all of them' : `did you mean ${meant}?`
  return { field: name, value: '***', rule: `${place} has a setting that does not exist; ${hint}` }
}

/**
 * The configuration of this process, from its environment and the `.env` of `directory`. What is wrong is said on stderr,
 * one line each, and the process exits 78. AWS settings from `.env` are put into the environment, where the SDK looks.
 */
export const loadConfiguration = (directory = process.cwd()): Configuration => {
  const dotenv = readDotenv(directory)
  const read = readConfiguration(process.env, dotenv)
  if (!read.ok) {
    for (const problem of read.problems) process.stderr.write(`${sentenceOf(problem)}\n`)
    process.exit(exitCodes.badConfiguration)
  }
  for (const [name, value] of Object.entries(dotenv))
    if (awsNames.test(name) && value?.trim()) process.env[name] ??= value
  return read.configuration
}

/** What stands in the `.env` of a directory; nothing when there is none. */
export const readDotenv = (directory: string): Variables => {
  const file = join(directory, '.env')
  return existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {}
}
