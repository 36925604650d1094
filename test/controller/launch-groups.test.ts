import { describe, expect, test, vi } from 'vitest'
import { networksOf } from '../../controller/networks.ts'
import { intend, type Networks, taskDefinitionOf } from '../../controller/reconcile/launch.ts'
import type { Job } from '../../schemas/job.ts'
import { defaultPrices } from '../../schemas/prices.ts'
import { readConfiguration } from '../../schemas/read-configuration.ts'
import { acceptedMs, job, settings } from '../support/job.ts'

// A kind of the group internet, whichever kinds there are.
vi.mock('../../schemas/kinds/transcode.ts', async (original) => {
  const real = await original<typeof import('../../schemas/kinds/transcode.ts')>()
  return { ...real, transcode: { ...real.transcode, group: 'internet' } }
})

const networksFrom = (environment: Record<string, string>): Networks => {
  const read = readConfiguration({ SUBNETS: 'subnet-1', SECURITY_GROUPS: 'sg-1', ...environment }, {})
  if (!read.ok) throw new Error('The configuration is wrong')
  return networksOf(read.configuration)
}

const separate = {
  INTERNET_SUBNETS: 'subnet-2, subnet-3',
  INTERNET_SECURITY_GROUPS: 'sg-2',
  INTERNET_ASSIGN_PUBLIC_IP: 'ENABLED',
}
const usual = { subnets: ['subnet-1'], securityGroups: ['sg-1'], assignPublicIp: 'DISABLED' }
const internet = { subnets: ['subnet-2', 'subnet-3'], securityGroups: ['sg-2'], assignPublicIp: 'ENABLED' }

describe('the network of tasks that need the internet', () => {
  test.each<[string, Record<string, string>, object]>([
    ['nothing said: as all others', {}, usual],
    [
      'nothing said, and others have a public address',
      { ASSIGN_PUBLIC_IP: 'ENABLED' },
      { ...usual, assignPublicIp: 'ENABLED' },
    ],
    ['its own in everything', separate, internet],
    ['its own subnets', { INTERNET_SUBNETS: 'subnet-2' }, { ...usual, subnets: ['subnet-2'] }],
    ['its own security groups', { INTERNET_SECURITY_GROUPS: 'sg-2' }, { ...usual, securityGroups: ['sg-2'] }],
    ['a public address', { INTERNET_ASSIGN_PUBLIC_IP: 'ENABLED' }, { ...usual, assignPublicIp: 'ENABLED' }],
    [
      'no public address where all others have one',
      { ASSIGN_PUBLIC_IP: 'ENABLED', INTERNET_ASSIGN_PUBLIC_IP: 'DISABLED' },
      usual,
    ],
  ])('%s', (_name, environment, want) => {
    expect(networksFrom(environment).internet).toEqual(want)
  })

  test('is nobody else’s', () => {
    expect(networksFrom(separate)).toMatchObject({ media: usual, own: usual })
  })
})

describe('a launch', () => {
  const asked = (of: Job) => {
    const context = {
      ...{
        installation: 'prod',
        cluster: 'jobs',
        prices: defaultPrices,
        outputsBucket: 'outputs',
        transcribeRoleArn: undefined,
        vcpuCeiling: () => 32,
      },
      networks: networksFrom(separate),
    }
    const template = {
      ...{ taskDefinition: 'family:7', container: 'worker', logPrefix: 'task' },
      architecture: 'x86_64' as const,
    }
    const { launching, attempts } = intend(of, template, context, acceptedMs).set
    const request = (launching?.request ?? {}) as Partial<Record<string, { awsvpcConfiguration: object }>>
    const network = request.networkConfiguration?.awsvpcConfiguration
    return { network, publicIp: attempts?.[0]?.publicIp }
  }
  const families = { media: 'worker', internet: 'worker-internet', seeding: 'worker-seeding' }
  const params = { taskDefinition: 'mine' }
  const mine = job({ kind: 'container', settings: settings({ params }) })

  test('of a kind that needs the internet has its network, its task definition and its price', () => {
    const { network, publicIp } = asked(job())
    expect(network).toEqual({ ...internet, subnets: expect.arrayContaining(internet.subnets) })
    expect(publicIp).toBe(true)
    expect(taskDefinitionOf(job(), families)).toBe('worker-internet')
  })

  test('of a container of the user’s own has the usual network', () => {
    expect(asked(mine)).toEqual({ network: usual, publicIp: undefined })
    expect(taskDefinitionOf(mine, families)).toBe('mine')
  })

  test('of a kind that nobody knows has the usual one', () => {
    const unknown = job({ kind: 'unheard' })
    expect(asked(unknown).network).toEqual(usual)
    expect(taskDefinitionOf(unknown, families)).toBe('worker')
  })
})
