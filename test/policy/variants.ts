import { synthesized } from '../support/synthesized.ts'
import type { StackJson } from './stack.ts'

const existing = { EXISTING_VPC_ID: 'vpc-0123456789abcdef0', EXISTING_SUBNET_IDS: 'subnet-0123456789abcdef0' }
const balanced = {
  CERTIFICATE_ARN: 'arn:aws:acm:us-east-1:123456789012:certificate/0123',
  API_TOKEN_SECRET_ARN: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:token-abcdef',
  ALLOWED_CIDRS: '192.0.2.0/24',
}
const withPeople = {
  ALARM_EMAIL: 'on-call@example.com',
  MONTHLY_BUDGET_USD: '200',
  AWS_ACCOUNT_ID: '123456789012',
  STATE_BUCKET: 'terraform-states',
}

const rulesForOutputs = JSON.stringify([
  { bucket: 'outputs', kinds: ['record'], jobs: [{ kind: 'torrent' }] },
])

/** What is synthesised and checked: every environment in every network, and what else can be chosen. */
const choices = {
  'dev, public': ['dev', { NETWORK: 'public' }],
  'dev, endpoints': ['dev', { NETWORK: 'endpoints' }],
  'dev, nat': ['dev', { NETWORK: 'nat' }],
  'dev, existing network': ['dev', { NETWORK: 'existing', ...existing }],
  'dev, existing network, public': [
    'dev',
    { NETWORK: 'existing', ...existing, EXISTING_ASSIGN_PUBLIC_IP: 'true' },
  ],
  'dev, named containers': ['dev', { NETWORK: 'nat', CONTAINER_FAMILIES: 'dev-shell' }],
  'dev, torrents': ['dev', { NETWORK: 'nat', INTERNET_PORTS: 'any' }],
  'dev, seeding': ['dev', { NETWORK: 'nat', SEEDING_PORT: '51413', CONTAINER_FAMILIES: 'dev-shell' }],
  'prod, seeding': ['prod', { NETWORK: 'endpoints', NETWORK_INTERNET: 'true', SEEDING_PORT: '51413' }],
  'prod, rules for outputs': ['prod', { UPLOAD_TRIGGERS: rulesForOutputs }],
  'prod, rules for outputs that exist': [
    'prod',
    { UPLOAD_TRIGGERS: rulesForOutputs, EXISTING_OUTPUTS_BUCKET: 'their-outputs' },
  ],
  'prod, public': ['prod', { NETWORK: 'public' }],
  'prod, endpoints': ['prod', { NETWORK: 'endpoints', ...withPeople }],
  'prod, endpoints and internet': ['prod', { NETWORK: 'endpoints', NETWORK_INTERNET: 'true' }],
  'prod, nat': ['prod', { NETWORK: 'nat', NAT_GATEWAYS: 'per-zone' }],
  'prod, existing network': ['prod', { NETWORK: 'existing', ...existing }],
  'prod, models': [
    'prod',
    {
      NETWORK: 'endpoints',
      BEDROCK_MODEL_ARNS: 'arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0',
    },
  ],
  'prod, load balancer': ['prod', { NETWORK: 'nat', ...balanced }],
  'prod, internal load balancer': [
    'prod',
    { NETWORK: 'endpoints', ...balanced, LOAD_BALANCER_INTERNAL: 'true' },
  ],
  'prod, existing buckets': [
    'prod',
    { EXISTING_UPLOADS_BUCKET: 'their-uploads', EXISTING_OUTPUTS_BUCKET: 'their-outputs' },
  ],
} satisfies Record<string, [environment: string, variables: Record<string, string>]>

export type Variant = keyof typeof choices

export const variantNames = Object.keys(choices) as Variant[]

const made = new Map<Variant, string>()

/** cdk.tf.json of a variant, made once and given anew each time, so that whoever changes it changes nobody else's. */
export const variant = (name: Variant): StackJson => {
  const [environment, variables]: [string, Record<string, string>] = choices[name]
  const text = made.get(name) ?? JSON.stringify(synthesized(environment, variables))
  made.set(name, text)
  return JSON.parse(text) as StackJson
}
