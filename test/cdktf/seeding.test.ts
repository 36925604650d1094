import { describe, expect, test } from 'vitest'
import { readConfig } from '../../cdktf/config.ts'
import {
  type Block,
  blocks,
  container,
  environmentOf,
  type Synthesized,
  synthesized,
} from '../support/synthesized.ts'
import { existingNetwork, networks } from './choices.ts'

const port = { SEEDING_PORT: '51413' }
const seeding = synthesized('dev', port)

const ingress = (stack: Synthesized): Block[] => blocks(stack, 'aws_vpc_security_group_ingress_rule')
const settingsOf = (stack: Synthesized) => environmentOf(container(stack, 'dev-controller'))

describe('without SEEDING_PORT', () => {
  const stack = synthesized('dev')

  test('nothing is open, and nothing is there that could seed', () => {
    expect(ingress(stack)).toEqual([])
    expect(JSON.stringify(stack)).not.toContain('seeding')
    expect(Object.keys(settingsOf(stack)).filter((name) => name.startsWith('SEEDING'))).toEqual([])
  })
})

describe('with SEEDING_PORT', () => {
  test('one port is open, from anywhere, by TCP, to tasks that seed', () => {
    expect(ingress(seeding)).toEqual([
      {
        security_group_id: expect.stringContaining('security-groups_seeding_'),
        description: expect.any(String),
        cidr_ipv4: '0.0.0.0/0',
        ip_protocol: 'tcp',
        from_port: 51_413,
        to_port: 51_413,
      },
    ])
  })

  test('the task knows the port, and has a role of its own', () => {
    const task = blocks(seeding, 'aws_ecs_task_definition').find(
      ({ family }) => family === 'dev-worker-seeding',
    )
    expect(task?.task_role_arn).toMatch(/roles_seeding_\w{8}\.arn/)
    const worker = container(seeding, 'dev-worker-seeding')
    expect(environmentOf(worker)).toMatchObject({ SEEDING_PORT: '51413' })
    expect(worker.portMappings).toEqual([{ containerPort: 51_413, protocol: 'tcp' }])
    expect(worker).toMatchObject({
      readonlyRootFilesystem: true,
      linuxParameters: { capabilities: { drop: ['ALL'] } },
    })
    expect(environmentOf(container(seeding, 'dev-worker'))).not.toHaveProperty('SEEDING_PORT')
  })

  test('the controller starts them, where peers can reach them', () => {
    expect(settingsOf(seeding)).toMatchObject({
      SEEDING_PORT: '51413',
      SEEDING_TASK_DEFINITION: 'dev-worker-seeding',
      SEEDING_SECURITY_GROUPS: expect.stringContaining('security-groups_seeding_'),
      SEEDING_ASSIGN_PUBLIC_IP: 'ENABLED',
    })
    const policies = JSON.stringify(blocks(seeding, 'aws_iam_role_policy'))
    expect(policies).toContain('dev-worker-seeding:*')
  })

  test.each([
    ['public', 'public', 'ENABLED'],
    ['endpoints with internet', 'public', 'ENABLED'],
    ['nat', 'public', 'ENABLED'],
  ] as const)(
    'in the profile %s they stand in %s subnets with an address of their own',
    (name, kind, assign) => {
      const settings = settingsOf(synthesized('dev', { ...networks[name], ...port }))
      expect(settings.SEEDING_SUBNETS).toContain(`${kind}-subnet-1`)
      expect(settings.SEEDING_ASSIGN_PUBLIC_IP).toBe(assign)
    },
  )

  test('in a network that exists they stand where tasks of the internet do', () => {
    const theirs = {
      EXISTING_INTERNET_SUBNET_IDS: 'subnet-0123456789abcdef9',
      EXISTING_INTERNET_ASSIGN_PUBLIC_IP: 'true',
    }
    expect(settingsOf(synthesized('dev', { ...existingNetwork, ...theirs, ...port }))).toMatchObject({
      SEEDING_SUBNETS: 'subnet-0123456789abcdef9',
      SEEDING_ASSIGN_PUBLIC_IP: 'ENABLED',
    })
  })

  test.each([
    ['a network without public subnets', { NETWORK: 'endpoints', ...port }, 'NETWORK_INTERNET=true'],
    ['a port that is no port', { SEEDING_PORT: 'open' }, 'SEEDING_PORT'],
    ['a port of the system', { SEEDING_PORT: '22' }, 'SEEDING_PORT'],
    ['a slip in the name', { SEEDING_PORTS: '51413' }, 'did you mean SEEDING_PORT'],
  ])('%s is refused', (_says, variables, says) => {
    const read = readConfig(variables)
    expect(read.ok ? '' : read.problems.join()).toContain(says)
  })
})
