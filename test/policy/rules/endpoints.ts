import { editStatement, set } from '../mutate.ts'
import type { Finding, Rule } from './rule.ts'

const narrow: Rule = {
  name: 'endpoints/narrow',
  says: 'through an endpoint to S3 or DynamoDB nothing can be carried to the account of somebody else',
  check: (stack) =>
    stack.of('aws_vpc_endpoint').flatMap((endpoint): Finding[] => {
      if (endpoint.values.vpc_endpoint_type !== 'Gateway') return []
      const statements = stack.policies.find(({ address }) => address === endpoint.address)?.statements
      if (statements === undefined)
        return [
          {
            address: endpoint.address,
            problem: 'lets everything through: a policy with aws:ResourceAccount',
          },
        ]
      return statements
        .filter(
          ({ effect, resources, conditions }) =>
            effect === 'Allow' &&
            resources.some((resource) => /^(\*|arn:aws:[a-z0-9]+:::\*)$/.test(resource)) &&
            conditions.StringEquals?.['aws:resourceaccount'] === undefined,
        )
        .map(({ sid }) => ({
          address: endpoint.address,
          problem: `statement ${sid} lets requests to any account through: aws:ResourceAccount, or name the resources`,
        }))
    }),
  mutants: [
    {
      says: 'no policy',
      change: (json) =>
        set(json, 'aws_vpc_endpoint', 'policy', undefined, (_id, { policy }) => policy !== undefined),
    },
    {
      says: 'any account',
      change: (json) =>
        editStatement(
          json,
          'aws_vpc_endpoint',
          ({ Resource }) => [Resource].flat().includes('*'),
          (one) => delete one.Condition,
        ),
    },
  ],
}

const named: Rule = {
  name: 'endpoints/named',
  says: 'clients find an endpoint by the usual name of its service',
  check: (stack) =>
    stack
      .of('aws_vpc_endpoint')
      .filter(({ values }) => values.vpc_endpoint_type === 'Interface' && values.private_dns_enabled !== true)
      .map(({ address }) => ({ address, problem: 'is not found by SDKs: private_dns_enabled = true' })),
  mutants: [
    {
      says: 'another name',
      change: (json) =>
        set(
          json,
          'aws_vpc_endpoint',
          'private_dns_enabled',
          false,
          (_id, values) => values.private_dns_enabled === true,
        ),
    },
  ],
}

export const endpointRules: Rule[] = [narrow, named]
