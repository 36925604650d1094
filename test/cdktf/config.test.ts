import { describe, expect, test } from 'vitest'
import { readConfig, stackName, variables } from '../../cdktf/config.ts'
import { existingNetwork, loadBalanced } from './choices.ts'

const configOf = (environment: Record<string, string> = {}) => {
  const read = readConfig(environment)
  if (!read.ok) throw new Error(read.problems.join('; '))
  return read.config
}

const problemsOf = (environment: Record<string, string>): readonly string[] => {
  const read = readConfig(environment)
  return read.ok ? [] : read.problems
}

describe('what is deployed', () => {
  test('is dev in us-east-1 when nobody says anything', () => {
    expect(configOf()).toMatchObject({
      environment: 'dev',
      installation: 'dev',
      region: 'us-east-1',
      architecture: 'arm64',
      network: { profile: 'public', cidr: '10.40.0.0/16', zones: 2 },
      controllers: { count: 2 },
      containerRoleArns: [],
      bedrockModelArns: [],
      protectData: false,
    })
  })

  test('is what ENVIRONMENT says, with data protected in prod', () => {
    expect(configOf({ ENVIRONMENT: 'prod' })).toMatchObject({
      installation: 'prod',
      network: { profile: 'endpoints', internet: false },
      versioning: 'enabled',
      protectData: true,
    })
  })

  test('is what variables say, where there are any; empty ones count as none', () => {
    expect(
      configOf({
        AWS_REGION: 'eu-central-1',
        INSTALLATION: 'clips',
        ALARM_EMAIL: 'ops@example.org',
        MAX_VCPU: '64',
        PROTECT_DATA: 'true',
        MONTHLY_BUDGET_USD: '75',
        NETWORK: ' ',
        CONTAINER_FAMILIES: 'reports, clips-job-*',
      }),
    ).toMatchObject({
      region: 'eu-central-1',
      installation: 'clips',
      alarmEmail: 'ops@example.org',
      settings: { MAX_VCPU: '64' },
      protectData: true,
      monthlyBudgetUsd: 75,
      network: { profile: 'public' },
      containerFamilies: ['reports', 'clips-job-*'],
    })
  })

  test('takes nothing from the preset of another network profile', () => {
    const presets = {
      dev: { network: { profile: 'endpoints', internet: true, cidr: '10.9.0.0/16' } },
    } as const
    expect(readConfig({ NETWORK: 'nat' }, presets)).toMatchObject({
      ok: true,
      config: { network: { profile: 'nat', cidr: '10.40.0.0/16', zones: 2, gateways: 'one' } },
    })
    expect(readConfig({ NETWORK_CIDR: '10.8.0.0/16' }, presets)).toMatchObject({
      ok: true,
      config: { network: { profile: 'endpoints', internet: true, cidr: '10.8.0.0/16' } },
    })
  })

  test('may stand in a network that exists', () => {
    expect(configOf(existingNetwork).network).toEqual({
      profile: 'existing',
      vpcId: 'vpc-0123456789abcdef0',
      subnetIds: ['subnet-0123456789abcdef0', 'subnet-0123456789abcdef1'],
      assignPublicIp: false,
    })
  })

  test('keeps its state under its own name', () => {
    expect(configOf({ STATE_BUCKET: 'our-states', INSTALLATION: 'clips' }).state).toEqual({
      bucket: 'our-states',
      key: 'ecs-job-operator/clips.tfstate',
      region: 'us-east-1',
    })
    expect(stackName('clips')).toBe('ecs-job-operator-clips')
  })
})

describe('one sentence for each mistake, with the name of the setting', () => {
  test.each<[Record<string, string>, string]>([
    [{ ENVIRONMENT: 'production' }, 'ENVIRONMENT: "production" is not allowed: must be one of: dev, prod'],
    [{ ENVIROMENT: 'prod' }, 'ENVIROMENT: there is no such setting; did you mean ENVIRONMENT?'],
    [{ ALARM_EMIAL: 'a@b.org' }, 'ALARM_EMIAL: there is no such setting; did you mean ALARM_EMAIL?'],
    [
      { INSTALLATION: 'My Clips' },
      'INSTALLATION: "My Clips" is not allowed: must be 1 to 16 lower-case letters, digits and -',
    ],
    [
      { AWS_REGION: 'Frankfurt' },
      'AWS_REGION: "Frankfurt" is not allowed: must be a region, like eu-central-1',
    ],
    [
      { AWS_ACCOUNT_ID: '12345' },
      'AWS_ACCOUNT_ID: "12345" is not allowed: must be an account id of 12 digits',
    ],
    [{ ARCHITECTURE: 'arm' }, 'ARCHITECTURE: "arm" is not allowed: must be one of: x86_64, arm64'],
    [
      { NETWORK: 'private' },
      'NETWORK: "private" is not allowed: must be one of: public, endpoints, nat, existing',
    ],
    [{ NETWORK_CIDR: '10.0.0.0/24' }, 'NETWORK_CIDR: "10.0.0.0/24" is not allowed: must be from /16 to /20'],
    [
      {
        NETWORK_CIDR: '10.0.0.0/16',
        NETWORK: 'existing',
        EXISTING_VPC_ID: 'vpc-0123456789abcdef0',
        EXISTING_SUBNET_IDS: 'subnet-0123456789abcdef0',
      },
      'NETWORK_CIDR: "10.0.0.0/16" is not allowed: there is no such field',
    ],
    [
      { NETWORK: 'existing', EXISTING_SUBNET_IDS: 'subnet-0123456789abcdef0' },
      'network.vpcId (or EXISTING_VPC_ID): must be given: a text',
    ],
    [
      { NETWORK: 'existing', EXISTING_VPC_ID: 'vpc-0123456789abcdef0' },
      'network.subnetIds (or EXISTING_SUBNET_IDS): must be given: a list',
    ],
    [
      { ...existingNetwork, EXISTING_SUBNET_IDS: 'subnet-0123456789abcdef0,private-b' },
      'EXISTING_SUBNET_IDS[1]: "private-b" is not allowed: must be a subnet id, like subnet-0123456789abcdef0',
    ],
    [{ PROTECT_DATA: 'yes' }, 'PROTECT_DATA: "yes" is not allowed: must be true or false'],
    [{ ALARM_EMAIL: 'ops' }, 'ALARM_EMAIL: "ops" is not allowed: must be an e-mail address'],
    [
      { MONTHLY_BUDGET_USD: 'fifty' },
      'MONTHLY_BUDGET_USD: "fifty" is not allowed: must be a whole number from 1 to 1000000',
    ],
    [{ MAX_VCPU: 'many' }, 'MAX_VCPU: "many" is not allowed: must be a number from 0 to 100000'],
    [
      { EXISTING_UPLOADS_BUCKET: 'Uploads!' },
      'EXISTING_UPLOADS_BUCKET: "Uploads!" is not allowed: must be an S3 bucket name',
    ],
    [
      { CONTAINER_ROLE_ARNS: 'arn:aws:iam::123456789012:user/me' },
      'CONTAINER_ROLE_ARNS[0]: "arn:aws:iam::123456789012:user/me" is not allowed: must be the ARN of a role',
    ],
    [
      { BEDROCK_MODEL_ARNS: 'arn:aws:bedrock:us-east-1::foundation-model/*' },
      'BEDROCK_MODEL_ARNS[0]: "arn:aws:bedrock:us-east-1::foundation-model/*" is not allowed: must be the ARN of a model or an inference profile, without wildcards',
    ],
    [
      { ...loadBalanced, ALLOWED_CIDRS: '0.0.0.0/0' },
      'ALLOWED_CIDRS[0]: "0.0.0.0/0" is not allowed: must not be the whole internet; name the networks that you know',
    ],
    [
      { CERTIFICATE_ARN: loadBalanced.CERTIFICATE_ARN, ALLOWED_CIDRS: '203.0.113.0/24' },
      'loadBalancer.apiTokenSecretArn (or API_TOKEN_SECRET_ARN): must be given: a text',
    ],
    [
      { ...loadBalanced, NETWORK: 'endpoints' },
      'loadBalancer.internal (or LOAD_BALANCER_INTERNAL): must be true in a network without public subnets',
    ],
    [
      { ...loadBalanced, ...existingNetwork },
      'loadBalancer.subnetIds (or LOAD_BALANCER_SUBNET_IDS): must name two subnets in different zones, because the network is one that exists',
    ],
  ])('%j', (environment, sentence) => {
    expect(problemsOf(environment)).toEqual([sentence])
  })

  test.each(['EMF_METRICS', 'SUBNETS', 'API_TOKEN', 'NO_SUCH_SETTING'])(
    'an environment cannot preset %s: the infrastructure sets it, or nobody reads it',
    (name) => {
      const presets = { dev: { network: { profile: 'public' }, settings: { [name]: 'on' } } } as const
      expect(readConfig({}, presets)).toMatchObject({
        ok: false,
        problems: [expect.stringMatching(new RegExp(`^settings\\.${name}: .*there is no such field$`))],
      })
    },
  )

  test('and all mistakes at once', () => {
    expect(problemsOf({ AWS_REGION: 'x', ALARM_EMAIL: 'x' })).toHaveLength(2)
  })

  test('what belongs to other programs is none of our business', () => {
    expect(problemsOf({ PATH: '/usr/bin', AWS_PROFILE: 'me', HOME: '/', NETWORKS: 'x' })).toEqual([
      'NETWORKS: there is no such setting; did you mean NETWORK?',
    ])
  })
})

test('no name of ours is so close to another that one would be taken for a slip of it', () => {
  for (const name of Object.keys(variables))
    expect(problemsOf({ [name]: 'x' }).filter((problem) => problem.includes('did you mean'))).toEqual([])
})
