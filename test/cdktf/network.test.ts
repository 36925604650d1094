import { DefaultSecurityGroup } from '@cdktf/provider-aws/lib/default-security-group/index.js'
import { Subnet } from '@cdktf/provider-aws/lib/subnet/index.js'
import { VpcEndpoint } from '@cdktf/provider-aws/lib/vpc-endpoint/index.js'
import { describe, expect, test } from 'vitest'
import './matchers.ts'
import {
  blocks,
  container,
  environmentOf,
  type Synthesized,
  synthesized,
  synthesizedText,
} from '../support/synthesized.ts'
import { byText, existingNetwork, loadBalanced, networks } from './choices.ts'

const count = (stack: Synthesized, type: string) => blocks(stack, type).length

/** `443 to 0.0.0.0/0`, for the group of one role. */
const mayReach = (stack: Synthesized, role: string): string[] =>
  blocks(stack, 'aws_vpc_security_group_egress_rule')
    .filter(({ security_group_id: of }) => String(of).includes(`security-groups_${role}_`))
    .map((rule) => {
      const to = rule.cidr_ipv4 ?? rule.prefix_list_id ?? rule.referenced_security_group_id
      const ports = rule.ip_protocol === '-1' ? 'any' : `${rule.from_port}`
      return `${ports} to ${String(to).replace(/^\$\{aws_\w+\.(.*)_[0-9A-F]{8}\..*$/, '$1')}`
    })
    .sort(byText)

const settingsOf = (stack: Synthesized) => environmentOf(container(stack, 'dev-controller'))

const toAws = ['443 to endpoints_dynamodb', '443 to endpoints_s3', '443 to endpoints_security-group']
const anyAws = ['443 to 0.0.0.0/0']

test.each([
  ['public', { public: 2, private: 0, nat: 0, doors: 0, gateways: 0 }],
  ['endpoints', { public: 0, private: 2, nat: 0, doors: 7, gateways: 2 }],
  ['endpoints with internet', { public: 2, private: 2, nat: 0, doors: 7, gateways: 2 }],
  ['nat', { public: 2, private: 2, nat: 1, doors: 0, gateways: 2 }],
  ['nat in every zone', { public: 2, private: 2, nat: 2, doors: 0, gateways: 2 }],
  ['existing', { public: 0, private: 0, nat: 0, doors: 0, gateways: 0 }],
] as const)('the profile %s is made of %j', (name, made) => {
  const stack = synthesized('dev', networks[name])
  const subnets = blocks(stack, 'aws_subnet').map(({ cidr_block: range }) => String(range))
  const endpoints = blocks(stack, 'aws_vpc_endpoint')
  expect({
    public: subnets.filter((range) => /, [0-7]\)/.test(range)).length,
    private: subnets.filter((range) => /, (8|9|10)\)/.test(range)).length,
    nat: count(stack, 'aws_nat_gateway'),
    doors: endpoints.filter(({ vpc_endpoint_type: type }) => type === 'Interface').length,
    gateways: endpoints.filter(({ vpc_endpoint_type: type }) => type === 'Gateway').length,
  }).toEqual(made)
  expect(count(stack, 'aws_vpc')).toBe(name === 'existing' ? 0 : 1)
  expect(count(stack, 'aws_internet_gateway')).toBe(made.public > 0 ? 1 : 0)
})

describe('what may go out', () => {
  test.each([
    ['public', anyAws, ['443 to 0.0.0.0/0', '80 to 0.0.0.0/0']],
    ['endpoints', toAws, toAws],
    ['endpoints with internet', toAws, ['443 to 0.0.0.0/0', ...toAws, '80 to 0.0.0.0/0']],
    ['nat', anyAws, ['443 to 0.0.0.0/0', '80 to 0.0.0.0/0']],
    ['existing', anyAws, ['443 to 0.0.0.0/0', '80 to 0.0.0.0/0']],
  ] as const)('in the profile %s: controllers and media %j, internet %j', (name, narrow, wide) => {
    const stack = synthesized('dev', networks[name])
    expect(mayReach(stack, 'controller')).toEqual(narrow)
    expect(mayReach(stack, 'media')).toEqual(narrow)
    expect(mayReach(stack, 'internet')).toEqual([...wide].sort(byText))
  })

  test('torrents need every port, and get it only where somebody said so', () => {
    expect(mayReach(synthesized('dev', { INTERNET_PORTS: 'any' }), 'internet')).toEqual([
      '443 to 0.0.0.0/0',
      'any to 0.0.0.0/0',
    ])
    expect(mayReach(synthesized('dev', { INTERNET_PORTS: 'any' }), 'media')).toEqual(anyAws)
  })
})

test('nothing starts before it can reach its image', () => {
  const waitsFor = (variables: Record<string, string>) => {
    const services = blocks(synthesized('dev', variables), 'aws_ecs_service')
    return services
      .flatMap((service) => service.depends_on as string[])
      .filter((one) => /^aws_(route|vpc_endpoint)\./.test(one))
  }
  expect(waitsFor(networks.public)).toHaveLength(2)
  expect(waitsFor(networks.endpoints)).toHaveLength(9)
  expect(waitsFor(networks.nat)).toHaveLength(4)
  expect(waitsFor(networks.existing)).toEqual([])
  const [nat] = blocks(synthesized('dev', networks.nat), 'aws_nat_gateway')
  expect(nat?.depends_on).toEqual([expect.stringContaining('aws_route.network_public-route-1')])
})

test('nothing may come in, but to endpoints and from our own groups', () => {
  for (const variables of Object.values(networks)) {
    const stack = synthesized('dev', variables)
    for (const rule of blocks(stack, 'aws_vpc_security_group_ingress_rule')) {
      expect(rule.security_group_id).toContain('endpoints_security-group')
      expect(rule.referenced_security_group_id).toContain('security-groups_')
      expect(rule).not.toHaveProperty('cidr_ipv4')
    }
    for (const group of blocks(stack, 'aws_security_group')) {
      expect(group).not.toHaveProperty('ingress')
      expect(group).not.toHaveProperty('egress')
    }
  }
})

test('the group that every VPC comes with is left without rules', () => {
  const text = synthesizedText('dev')
  expect(text).toHaveResourceWithProperties(DefaultSecurityGroup, {
    vpc_id: expect.stringContaining('aws_vpc.'),
  })
  expect(text).not.toHaveResourceWithProperties(DefaultSecurityGroup, { ingress: expect.anything() })
})

test('subnets hand out no public address by themselves', () => {
  expect(synthesizedText('dev')).not.toHaveResourceWithProperties(Subnet, { map_public_ip_on_launch: true })
  expect(synthesizedText('dev')).toHaveResourceWithProperties(Subnet, { map_public_ip_on_launch: false })
})

test('through the S3 endpoint a task reaches this account, our buckets and image layers, and nothing else', () => {
  const stack = synthesized('dev', { NETWORK: 'endpoints', EXISTING_UPLOADS_BUCKET: 'their-uploads' })
  const s3 = blocks(stack, 'aws_vpc_endpoint').find(({ service_name: name }) => String(name).endsWith('.s3'))
  const { Statement } = JSON.parse(String(s3?.policy)) as { Statement: Record<string, unknown>[] }
  expect(Statement.map(({ Sid }) => Sid)).toEqual(['OwnAccount', 'OwnBuckets', 'ImageLayers'])
  expect(Statement[0]).toMatchObject({
    Condition: { StringEquals: { 'aws:ResourceAccount': expect.stringContaining('aws_caller_identity') } },
  })
  expect(Statement[1]?.Resource).toContainEqual(expect.stringMatching(/:s3:::their-uploads\/\*$/))
  expect(Statement[2]).toMatchObject({
    Action: ['s3:GetObject'],
    Resource: [expect.stringMatching(/:s3:::prod-us-east-1-starport-layer-bucket\/\*$/)],
  })
})

test('interface endpoints are those of services that are called; the one for secrets only with a secret', () => {
  const names = (variables: Record<string, string>) =>
    blocks(synthesized('prod', { NETWORK: 'endpoints', ...variables }), 'aws_vpc_endpoint')
      .filter(({ vpc_endpoint_type: type }) => type === 'Interface')
      .map(({ service_name: name }) => String(name).replace('com.amazonaws.us-east-1.', ''))
      .sort(byText)
  const always = ['ecr.api', 'ecr.dkr', 'ecs', 'logs', 'sqs', 'ssmmessages', 'transcribe']
  expect(names({})).toEqual(always)
  expect(names({ ...loadBalanced, LOAD_BALANCER_INTERNAL: 'true' })).toEqual(
    [...always, 'secretsmanager'].sort(byText),
  )
  expect(synthesizedText('prod', { NETWORK: 'endpoints' })).toHaveResourceWithProperties(VpcEndpoint, {
    service_name: 'com.amazonaws.us-east-1.sqs',
    private_dns_enabled: true,
  })
})

describe('the controller is told where tasks run', () => {
  test('public: with addresses, in the same subnets', () => {
    const settings = settingsOf(synthesized('dev'))
    expect(settings).toMatchObject({ ASSIGN_PUBLIC_IP: 'ENABLED', INTERNET_ASSIGN_PUBLIC_IP: 'ENABLED' })
    expect(settings.SUBNETS).toMatch(
      /^\$\{aws_subnet\.network_public-subnet-1_\w+\.id\},\$\{aws_subnet\.\S+-2_/,
    )
    expect(settings.INTERNET_SUBNETS).toBe(settings.SUBNETS)
    expect(settings.SECURITY_GROUPS).toContain('security-groups_media_')
    expect(settings.INTERNET_SECURITY_GROUPS).toContain('security-groups_internet_')
  })

  test('endpoints with internet: only those that need it get addresses, in subnets of their own', () => {
    const settings = settingsOf(synthesized('dev', networks['endpoints with internet']))
    expect(settings).toMatchObject({ ASSIGN_PUBLIC_IP: 'DISABLED', INTERNET_ASSIGN_PUBLIC_IP: 'ENABLED' })
    expect(settings.SUBNETS).toContain('private-subnet-1')
    expect(settings.INTERNET_SUBNETS).toContain('public-subnet-1')
    expect(settings.SUBNETS).not.toContain('public-subnet')
  })

  test('nat: nobody gets an address', () => {
    const settings = settingsOf(synthesized('dev', networks.nat))
    expect(settings).toMatchObject({ ASSIGN_PUBLIC_IP: 'DISABLED', INTERNET_ASSIGN_PUBLIC_IP: 'DISABLED' })
    expect(settings.INTERNET_SUBNETS).toContain('private-subnet-1')
  })

  test('existing: as it was given', () => {
    const settings = settingsOf(
      synthesized('dev', {
        ...existingNetwork,
        EXISTING_INTERNET_SUBNET_IDS: 'subnet-0123456789abcdef2',
        EXISTING_INTERNET_ASSIGN_PUBLIC_IP: 'true',
      }),
    )
    expect(settings).toMatchObject({
      SUBNETS: 'subnet-0123456789abcdef0,subnet-0123456789abcdef1',
      ASSIGN_PUBLIC_IP: 'DISABLED',
      INTERNET_SUBNETS: 'subnet-0123456789abcdef2',
      INTERNET_ASSIGN_PUBLIC_IP: 'ENABLED',
    })
  })
})
