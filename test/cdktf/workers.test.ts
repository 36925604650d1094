import { EcsTaskDefinition } from '@cdktf/provider-aws/lib/ecs-task-definition/index.js'
import { describe, expect, test } from 'vitest'
import './matchers.ts'
import { container, environmentOf, synthesized, synthesizedText } from '../support/synthesized.ts'

const text = synthesizedText('dev')
const stack = synthesized('dev')

describe.each([
  ['dev-worker', 'media', '2048', '4096'],
  ['dev-worker-internet', 'internet', '256', '512'],
])('%s', (family, role, cpu, memory) => {
  const worker = container(stack, family)

  test('starts with one role and works with the one of its group', () => {
    expect(text).toHaveResourceWithProperties(EcsTaskDefinition, {
      family,
      cpu,
      memory,
      network_mode: 'awsvpc',
      requires_compatibilities: ['FARGATE'],
      runtime_platform: { cpu_architecture: 'ARM64', operating_system_family: 'LINUX' },
      execution_role_arn: expect.stringContaining('roles_worker-execution_'),
      task_role_arn: expect.stringMatching(new RegExp(`roles_${role}_\\w{8}\\.arn`)),
    })
  })

  test('stays when a newer revision comes: launches under way have it in their ledger', () => {
    expect(text).toHaveResourceWithProperties(EcsTaskDefinition, { family, skip_destroy: true })
  })

  test('may write to scratch only, and has no privilege of the system', () => {
    expect(worker).toMatchObject({
      name: 'worker',
      readonlyRootFilesystem: true,
      mountPoints: [{ sourceVolume: 'scratch', containerPath: '/tmp', readOnly: false }],
      linuxParameters: { initProcessEnabled: true, capabilities: { drop: ['ALL'] } },
    })
  })

  test('runs the image that the account remembers, by the command of the image', () => {
    expect(worker.image).toMatch(/^\$\{aws_ssm_parameter\.images_worker-parameter_\w+\.insecure_value\}$/)
    expect(worker).not.toHaveProperty('command')
  })

  test('has two minutes from SIGTERM to its end, which is all that Spot leaves', () => {
    expect(worker.stopTimeout).toBe(120)
  })

  test('knows table, bucket and region, and no secret', () => {
    expect(environmentOf(worker)).toEqual({
      JOBS_TABLE: expect.stringContaining('tables_jobs_'),
      OUTPUTS_BUCKET: expect.stringContaining('buckets_outputs_'),
      AWS_REGION: 'us-east-1',
    })
    expect(worker).not.toHaveProperty('secrets')
  })
})
