import { describe, expect, test } from 'vitest'
import { resolveSettings } from '../../controller/intake/resolve.ts'
import { networksOf } from '../../controller/networks.ts'
import { policyOf } from '../../controller/policy.ts'
import { configurationSchema } from '../../schemas/configuration.ts'
import { groupOf } from '../../schemas/kinds/index.ts'
import { testPolicy } from '../support/policy.ts'

const spec = (params: Record<string, unknown> = {}, more: Record<string, unknown> = {}) => ({
  input: { bucket: 'outputs', key: 'results/a/a.torrent' },
  params,
  ...more,
})

describe('a seed job', () => {
  test('is refused where no port is open for it, and the sentence names the setting', () => {
    const resolved = resolveSettings('seed-1', 'seed', spec(), testPolicy({ seedingPort: undefined }))
    expect(resolved).toEqual({
      is: 'invalid',
      problems: [{ field: 'kind', value: 'seed', rule: expect.stringContaining('SEEDING_PORT') }],
    })
  })

  test.each([0, 51_413])('is accepted where one is: %d', (seedingPort) => {
    expect(resolveSettings('seed-1', 'seed', spec(), testPolicy({ seedingPort })).is).toBe('valid')
  })

  test.each([
    ['a short one has the usual time', { duration: 60 }, {}, 6 * 3600],
    ['a long one has its time and two hours', { duration: 86_400 }, {}, 86_400 + 7200],
    ['what is said, applies', { duration: 86_400 }, { limits: { attemptTimeout: 90_000 } }, 90_000],
  ])('%s', (_says, params, more, attemptTimeout) => {
    const resolved = resolveSettings('seed-1', 'seed', spec(params, more), testPolicy())
    expect(resolved.is === 'valid' && resolved.settings.limits.attemptTimeout).toBe(attemptTimeout)
  })

  test('runs in a group of its own', () => {
    expect(groupOf('seed')).toBe('seeding')
    expect(groupOf('torrent')).toBe('media')
  })
})

describe('the configuration', () => {
  const read = (variables: Record<string, string>) => configurationSchema.parse(variables)

  test('says nothing of a port, and so there is none', () => {
    expect(policyOf(read({})).seedingPort).toBeUndefined()
    expect(policyOf(read({ SEEDING_PORT: '51413' })).seedingPort).toBe(51_413)
  })

  test('keeps the task definition that seeds from jobs of other kinds', () => {
    expect(policyOf(read({})).reservedFamilies).toContain('worker-seeding')
  })

  const internet = {
    INTERNET_SUBNETS: 'subnet-i',
    INTERNET_SECURITY_GROUPS: 'sg-i',
    INTERNET_ASSIGN_PUBLIC_IP: 'ENABLED',
  }

  test.each([
    ['nothing, it is as for the internet', internet, ['subnet-i'], ['sg-i'], 'ENABLED'],
    [
      'everything',
      {
        ...internet,
        SEEDING_SUBNETS: 'subnet-s',
        SEEDING_SECURITY_GROUPS: 'sg-s',
        SEEDING_ASSIGN_PUBLIC_IP: 'DISABLED',
      },
      ['subnet-s'],
      ['sg-s'],
      'DISABLED',
    ],
    [
      'its security group only',
      { ...internet, SEEDING_SECURITY_GROUPS: 'sg-s' },
      ['subnet-i'],
      ['sg-s'],
      'ENABLED',
    ],
  ])('of the network says %s', (_says, variables, subnets, securityGroups, assignPublicIp) => {
    expect(networksOf(read(variables)).seeding).toEqual({ subnets, securityGroups, assignPublicIp })
  })
})
