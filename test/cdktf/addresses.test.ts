import { expect, test } from 'vitest'
import { type Synthesized, synthesized } from '../support/synthesized.ts'
import { byText, existingNetwork, loadBalanced } from './choices.ts'

/**
 * An address that changes is a resource that is destroyed and made anew: a table with its records, a bucket with its
 * objects. A change here wants `moveTo`, or a line in the changelog that says what is lost.
 */
const addresses = ({ resource, output }: Synthesized): string =>
  `${[
    ...Object.entries(resource).flatMap(([type, all]) => Object.keys(all).map((id) => `${type}.${id}`)),
    ...Object.keys(output).map((name) => `output.${name}`),
  ]
    .sort(byText)
    .join('\n')}\n`

test.each([
  ['dev', 'dev', {}],
  ['prod', 'prod', {}],
  ['nat', 'prod', { NETWORK: 'nat', NAT_GATEWAYS: 'per-zone' }],
  ['existing', 'dev', existingNetwork],
  [
    'everything',
    'prod',
    { NETWORK_INTERNET: 'true', NETWORK: 'endpoints', ALARM_EMAIL: 'a@b.org', ...loadBalanced },
  ],
] as const)('the addresses of %s stay what they are', async (name, environment, variables) => {
  await expect(addresses(synthesized(environment, variables))).toMatchFileSnapshot(`addresses/${name}.txt`)
})
