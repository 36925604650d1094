import { editStatement, remove } from '../mutate.ts'

import type { Finding, Rule } from './rule.ts'

const needsTls = ['aws_s3_bucket', 'aws_sqs_queue', 'aws_sns_topic']

/** Denied to everybody, for all actions, whenever it does not come over TLS. */
const tlsOnly: Rule = {
  name: 'tls/tlsOnly',
  says: 'buckets, queues and topics answer over TLS only',
  check: (stack) =>
    stack.of(...needsTls).flatMap((resource): Finding[] => {
      const denials = stack.policies
        .filter(
          ({ kind, of, address }) =>
            kind === 'resource' && (of.includes(resource.address) || address === resource.address),
        )
        .flatMap(({ statements }) => statements)
        .filter(
          ({ effect, actions, principals, conditions }) =>
            effect === 'Deny' &&
            (principals['*'] ?? principals.AWS)?.join() === '*' &&
            actions.some((action) => /^(\*|s3:\*|sqs:\*|sns:Publish|sns:\*)$/i.test(action)) &&
            conditions.Bool?.['aws:securetransport']?.join() === 'false',
        )
      const covered = denials.flatMap(({ resources }) => resources)
      const isWhole =
        resource.type === 'aws_s3_bucket'
          ? covered.some((one) => one.endsWith('/*')) && covered.some((one) => !one.endsWith('/*'))
          : covered.length > 0
      return isWhole
        ? []
        : [
            {
              address: resource.address,
              problem:
                'can be used without TLS: deny everything to everybody where aws:SecureTransport is false (for a bucket on it and on its objects)',
            },
          ]
    }),
  mutants: [
    {
      says: 'a bucket without its denial',
      change: (json) => remove(json, 'aws_s3_bucket_policy'),
    },
    {
      says: 'the denial of a bucket forgets its objects',
      change: (json) =>
        editStatement(
          json,
          'aws_s3_bucket_policy',
          ({ Effect }) => Effect === 'Deny',
          (one) => {
            one.Resource = [one.Resource ?? []].flat().filter((resource) => !resource.endsWith('/*'))
          },
        ),
    },
    {
      says: 'the denial of a queue is turned round',
      change: (json) =>
        editStatement(
          json,
          'aws_sqs_queue_policy',
          ({ Effect }) => Effect === 'Deny',
          (one) => {
            one.Condition = { Bool: { 'aws:SecureTransport': 'true' } }
          },
        ),
    },
    {
      says: 'a topic without it',
      change: (json) => remove(json, 'aws_sns_topic_policy'),
    },
  ],
}

/** Policies that belong to nothing in the stack protect nothing. */
const attached: Rule = {
  name: 'tls/attached',
  says: 'every policy belongs to something in the stack',
  check: (stack) =>
    stack.policies
      .filter(
        ({ of }) => !of.some((address) => stack.resources.some((resource) => resource.address === address)),
      )
      .map(({ address }) => ({
        address,
        problem: 'belongs to nothing in this stack: refer to the resource',
      })),
  mutants: [
    {
      says: 'a policy of a bucket that is not here',
      change: (json) => {
        json.resource = {
          ...json.resource,
          aws_s3_bucket_policy: {
            ...json.resource?.aws_s3_bucket_policy,
            stray: { bucket: 'elsewhere', policy: '{"Version":"2012-10-17","Statement":[]}' },
          },
        }
      },
    },
  ],
}

const listeners: Rule = {
  name: 'tls/listeners',
  says: 'a load balancer speaks HTTPS with a policy of today, and drops broken headers',
  check: (stack) => [
    ...stack.of('aws_lb_listener').flatMap((listener): Finding[] => {
      const { protocol, ssl_policy: policy, certificate_arn: certificate } = listener.values
      const isRedirect = JSON.stringify(listener.values.default_action ?? []).includes('"redirect"')
      if (protocol === 'HTTP' && isRedirect) return []
      return protocol === 'HTTPS' && certificate !== undefined && /TLS13/.test(String(policy))
        ? []
        : [
            {
              address: listener.address,
              problem:
                'is not HTTPS with a certificate and an ELBSecurityPolicy-TLS13 policy: set protocol and ssl_policy',
            },
          ]
    }),
    ...stack
      .of('aws_lb')
      .filter(({ values }) => values.drop_invalid_header_fields !== true)
      .map(({ address }) => ({
        address,
        problem: 'passes broken headers on: drop_invalid_header_fields = true',
      })),
  ],
  mutants: [
    {
      says: 'plain HTTP',
      of: 'prod, load balancer',
      change: (json) => {
        const [listener] = Object.values(json.resource?.aws_lb_listener ?? {})
        if (!listener) throw new Error('no listener')
        listener.protocol = 'HTTP'
      },
    },
    {
      says: 'a policy that still speaks TLS 1.0',
      of: 'prod, load balancer',
      change: (json) => {
        const listener = Object.values(json.resource?.aws_lb_listener ?? {}).find(
          ({ ssl_policy }) => ssl_policy,
        )
        if (!listener) throw new Error('no listener')
        listener.ssl_policy = 'ELBSecurityPolicy-2016-08'
      },
    },
  ],
}

export const tlsRules: Rule[] = [tlsOnly, attached, listeners]
