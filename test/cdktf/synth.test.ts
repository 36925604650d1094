import { AwsProvider } from '@cdktf/provider-aws/lib/provider/index.js'
import { describe, expect, test } from 'vitest'
import './matchers.ts'
import { stackName } from '../../cdktf/config.ts'
import { environments } from '../../cdktf/environments.ts'
import { blocks, type Synthesized, synthesized, synthesizedText } from '../support/synthesized.ts'
import { loadBalanced, networks } from './choices.ts'

const choices = Object.keys(environments).flatMap((environment) =>
  Object.entries(networks).map(([network, variables]) => [environment, network, variables] as const),
)

/** Everything that an expression speaks of: aws_sqs_queue.queues_jobs_1234, data.aws_partition.account_5678. */
const references = (text: string): string[] => [
  ...new Set(
    [...text.matchAll(/\b((?:data\.)?aws_[a-z0-9_]+\.[A-Za-z0-9_-]+)\.[a-z]/g)].map(([, to = '']) => to),
  ),
]

const addresses = ({ resource, data }: Synthesized): Set<string> =>
  new Set([
    ...Object.entries(resource).flatMap(([type, all]) => Object.keys(all).map((id) => `${type}.${id}`)),
    ...Object.entries(data).flatMap(([type, all]) => Object.keys(all).map((id) => `data.${type}.${id}`)),
  ])

describe.each(choices)('%s in the network %s', (environment, _network, variables) => {
  const text = synthesizedText(environment, variables)

  test('speaks of nothing that is not there, and leaves no token behind', () => {
    const there = addresses(JSON.parse(text) as Synthesized)
    expect(there.size).toBeGreaterThan(60)
    expect(references(text).length).toBeGreaterThan(30)
    expect(references(text).filter((to) => !there.has(to))).toEqual([])
    expect(text).not.toMatch(/TfToken|\[object Object\]|undefined|NaN/)
  })

  test('tags everything with its environment and installation', () => {
    expect(text).toHaveProviderWithProperties(AwsProvider, {
      region: 'us-east-1',
      default_tags: [
        {
          tags: { Project: 'ecs-job-operator', Environment: environment, Installation: environment },
        },
      ],
    })
  })
})

test('installations of the same environment share no name and no state', () => {
  const one = synthesizedText('dev')
  const other = synthesizedText('dev', { INSTALLATION: 'trial' })
  expect(stackName('dev')).not.toBe(stackName('trial'))
  const names = (text: string) =>
    [...text.matchAll(/"(?:name|family|alarm_name|dashboard_name|bucket)": "([^"]+)"/g)]
      .map(([, name = '']) => name)
      .filter((name) => !name.startsWith('${'))
  const shared = new Set(names(other))
  // Inline policies belong to their role; everything else carries the installation.
  const local = new Set(['controller-execution', 'worker-execution', 'media', 'internet', 'controller'])
  const common = names(one).filter((name) => shared.has(name) && !local.has(name) && /dev|trial/.test(name))
  expect(names(one).length).toBeGreaterThan(30)
  expect(common).toEqual([])
})

test('state goes to a bucket, with a lock file, where one is named', () => {
  const { terraform } = synthesized('prod', { STATE_BUCKET: 'our-states', AWS_REGION: 'eu-central-1' })
  expect(terraform.backend).toEqual({
    s3: {
      bucket: 'our-states',
      key: 'ecs-job-operator/prod.tfstate',
      region: 'eu-central-1',
      encrypt: true,
      use_lockfile: true,
    },
  })
  expect(terraform.required_version).toBe('>= 1.10')
})

test('an account that is named is the only one it may be deployed to', () => {
  expect(synthesizedText('prod', { AWS_ACCOUNT_ID: '123456789012' })).toHaveProviderWithProperties(
    AwsProvider,
    {
      allowed_account_ids: ['123456789012'],
    },
  )
})

test('the load balancer can be had in every network', () => {
  const internal = { ...loadBalanced, LOAD_BALANCER_INTERNAL: 'true' }
  const subnets = { LOAD_BALANCER_SUBNET_IDS: 'subnet-0123456789abcdef0, subnet-0123456789abcdef1' }
  for (const [name, variables] of Object.entries(networks)) {
    const more = name === 'existing' ? { ...internal, ...subnets } : internal
    const [balancer] = blocks(synthesized('prod', { ...variables, ...more }), 'aws_lb')
    expect(balancer?.subnets, name).toHaveLength(2)
  }
})
