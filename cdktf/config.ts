import { distance } from 'fastest-levenshtein'
import { problemsOf, sentenceOf } from '../schemas/problems.ts'
import { environments } from './environments.ts'
import { type Config, configSchema, type Preset } from './schema.ts'

export type { Config } from './schema.ts'

/** State of different installations must never meet in one file, and its name is that of the stack. */
export const stackName = (installation: string): string => `ecs-job-operator-${installation}`

/** Environment variables that win over an environment's presets, and the setting that each stands for. */
export const variables = {
  INSTALLATION: ['installation'],
  AWS_REGION: ['region'],
  AWS_ACCOUNT_ID: ['accountId'],
  ARCHITECTURE: ['architecture'],
  NETWORK: ['network', 'profile'],
  NETWORK_CIDR: ['network', 'cidr'],
  NETWORK_INTERNET: ['network', 'internet'],
  NAT_GATEWAYS: ['network', 'gateways'],
  EXISTING_VPC_ID: ['network', 'vpcId'],
  EXISTING_SUBNET_IDS: ['network', 'subnetIds'],
  EXISTING_ASSIGN_PUBLIC_IP: ['network', 'assignPublicIp'],
  EXISTING_INTERNET_SUBNET_IDS: ['network', 'internetSubnetIds'],
  EXISTING_INTERNET_ASSIGN_PUBLIC_IP: ['network', 'internetAssignPublicIp'],
  INTERNET_PORTS: ['internetPorts'],
  PRIVATE_SOURCES: ['privateSources'],
  SEEDING_PORT: ['seedingPort'],
  EXISTING_UPLOADS_BUCKET: ['existingBuckets', 'uploads'],
  EXISTING_OUTPUTS_BUCKET: ['existingBuckets', 'outputs'],
  PROTECT_DATA: ['protectData'],
  CONTAINER_FAMILIES: ['containerFamilies'],
  CONTAINER_ROLE_ARNS: ['containerRoleArns'],
  BEDROCK_MODEL_ARNS: ['bedrockModelArns'],
  ALARM_EMAIL: ['alarmEmail'],
  MONTHLY_BUDGET_USD: ['monthlyBudgetUsd'],
  CERTIFICATE_ARN: ['loadBalancer', 'certificateArn'],
  API_TOKEN_SECRET_ARN: ['loadBalancer', 'apiTokenSecretArn'],
  ALLOWED_CIDRS: ['loadBalancer', 'allowedCidrs'],
  LOAD_BALANCER_INTERNAL: ['loadBalancer', 'internal'],
  LOAD_BALANCER_SUBNET_IDS: ['loadBalancer', 'subnetIds'],
  STATE_BUCKET: ['state', 'bucket'],
  STATE_KEY: ['state', 'key'],
  STATE_REGION: ['state', 'region'],
  MAX_VCPU: ['settings', 'MAX_VCPU'],
  MAX_RUNNING: ['settings', 'MAX_RUNNING'],
  UPLOAD_TRIGGERS: ['settings', 'UPLOAD_TRIGGERS'],
} as const satisfies Record<string, readonly [string, string?]>

/** Variables that hold a list, with commas between its parts. */
const lists: readonly string[] = [
  'EXISTING_SUBNET_IDS',
  'EXISTING_INTERNET_SUBNET_IDS',
  'CONTAINER_FAMILIES',
  'CONTAINER_ROLE_ARNS',
  'BEDROCK_MODEL_ARNS',
  'ALLOWED_CIDRS',
  'LOAD_BALANCER_SUBNET_IDS',
] satisfies (keyof typeof variables)[]

type Variables = Readonly<Record<string, string | undefined>>

export type ReadConfig = { ok: true; config: Config } | { ok: false; problems: readonly string[] }

/** The configuration that an environment chooses, or one sentence for everything that is wrong with it. */
export function readConfig(
  environment: Variables,
  presets: Readonly<Record<string, Preset>> = environments,
): ReadConfig {
  const name = given(environment.ENVIRONMENT) ?? 'dev'
  const slips = slipsIn(environment)
  if (slips.length > 0) return { ok: false, problems: slips }
  const preset = Object.hasOwn(presets, name) ? presets[name] : undefined
  if (preset === undefined)
    return {
      ok: false,
      problems: [`ENVIRONMENT: "${name}" is not allowed: must be one of: ${Object.keys(presets).join(', ')}`],
    }
  const settings = withVariables({ environment: name, installation: name, ...preset }, environment)
  const parsed = configSchema.safeParse(settings)
  if (parsed.success) return { ok: true, config: parsed.data }
  return {
    ok: false,
    problems: problemsOf(parsed.error, settings).map((problem) =>
      sentenceOf({ ...problem, field: settingName(problem.field, environment) }),
    ),
  }
}

const given = (text: string | undefined): string | undefined => (text?.trim() ? text.trim() : undefined)

/** Another network profile than the preset one starts from nothing: what is said about one means nothing to another. */
function withVariables(preset: Record<string, unknown>, environment: Variables): Record<string, unknown> {
  const config = structuredClone(preset)
  if (given(environment.NETWORK) !== undefined) config.network = {}
  for (const [name, [field, inner]] of entries(variables)) {
    const text = given(environment[name])
    if (text === undefined) continue
    const value = lists.includes(name) ? partsOf(text) : text
    if (inner === undefined) config[field] = value
    else config[field] = { ...(config[field] as object | undefined), [inner]: value }
  }
  if (config.state !== undefined)
    config.state = {
      key: `ecs-job-operator/${String(config.installation)}.tfstate`,
      region: config.region ?? 'us-east-1',
      ...(config.state as object),
    }
  return config
}

const partsOf = (text: string): string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')

const entries = (all: typeof variables): [string, readonly [string, string?]][] => Object.entries(all)

/** A setting as the person wrote it: by its variable where that is where it came from, or where it would be given. */
function settingName(field: string, environment: Variables): string {
  for (const [variable, path] of entries(variables)) {
    const known = path.join('.')
    if (field !== known && !field.startsWith(`${known}[`)) continue
    return given(environment[variable]) === undefined
      ? `${field} (or ${variable})`
      : variable + field.slice(known.length)
  }
  return field
}

/** A slip in a name would deploy something else than was meant, so it stops everything: ENVIROMENT=prod would be dev. */
function slipsIn(environment: Variables): string[] {
  const known = ['ENVIRONMENT', ...Object.keys(variables)]
  return Object.keys(environment).flatMap((name) => {
    if (known.includes(name) || given(environment[name]) === undefined || name.length < 8) return []
    const meant = known.find((one) => distance(one, name) <= 2)
    return meant === undefined ? [] : [`${name}: there is no such setting; did you mean ${meant}?`]
  })
}
