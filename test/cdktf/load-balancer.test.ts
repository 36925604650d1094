import { Lb } from '@cdktf/provider-aws/lib/lb/index.js'
import { LbListener } from '@cdktf/provider-aws/lib/lb-listener/index.js'
import { LbTargetGroup } from '@cdktf/provider-aws/lib/lb-target-group/index.js'
import { expect, test } from 'vitest'
import './matchers.ts'
import { blocks, synthesized, synthesizedText } from '../support/synthesized.ts'
import { loadBalanced } from './choices.ts'

const text = synthesizedText('dev', loadBalanced)
const stack = synthesized('dev', loadBalanced)

test('nobody gets a load balancer who did not ask for one', () => {
  expect(blocks(synthesized('dev'), 'aws_lb')).toEqual([])
  expect(synthesized('dev').output).not.toHaveProperty('api_url')
})

test('it speaks HTTPS only, and a TLS that is still safe', () => {
  expect(blocks(stack, 'aws_lb_listener')).toHaveLength(1)
  expect(text).toHaveResourceWithProperties(LbListener, {
    port: 443,
    protocol: 'HTTPS',
    ssl_policy: 'ELBSecurityPolicy-TLS13-1-2-2021-06',
    certificate_arn: loadBalanced.CERTIFICATE_ARN,
  })
  expect(text).toHaveResourceWithProperties(Lb, {
    name: 'dev-api',
    internal: false,
    drop_invalid_header_fields: true,
    subnets: [expect.stringContaining('public-subnet-1'), expect.stringContaining('public-subnet-2')],
  })
})

test('it sends only to controllers that are ready', () => {
  expect(text).toHaveResourceWithProperties(LbTargetGroup, {
    port: 8080,
    target_type: 'ip',
    health_check: expect.objectContaining({ path: '/readyz', matcher: '200' }),
  })
})

test('only networks that were named come in, and only by it to the controllers', () => {
  const rules = blocks(stack, 'aws_vpc_security_group_ingress_rule')
  expect(
    rules.map(({ cidr_ipv4: range, referenced_security_group_id: group, from_port: port }) => [
      range ?? group,
      port,
    ]),
  ).toEqual(
    expect.arrayContaining([
      ['203.0.113.0/24', 443],
      ['198.51.100.7/32', 443],
      [expect.stringContaining('load-balancer_security-group'), 8080],
    ]),
  )
  expect(rules).toHaveLength(3)
})

test('its address is an output', () => {
  expect(stack.output).toMatchObject({ api_url: { value: expect.stringMatching(/^https:\/\/\$\{aws_lb\./) } })
})
