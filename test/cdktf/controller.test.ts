import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { EcsCluster } from '@cdktf/provider-aws/lib/ecs-cluster/index.js'
import { EcsClusterCapacityProviders } from '@cdktf/provider-aws/lib/ecs-cluster-capacity-providers/index.js'
import { EcsService } from '@cdktf/provider-aws/lib/ecs-service/index.js'
import { EcsTaskDefinition } from '@cdktf/provider-aws/lib/ecs-task-definition/index.js'
import { describe, expect, test } from 'vitest'
import './matchers.ts'
import { configurationNames } from '../../schemas/configuration.ts'
import { readConfiguration } from '../../schemas/read-configuration.ts'
import { container, environmentOf, synthesized, synthesizedText } from '../support/synthesized.ts'
import { loadBalanced } from './choices.ts'

const text = synthesizedText('dev')
const stack = synthesized('dev')
const controller = container(stack, 'dev-controller')

describe('the controller service', () => {
  test('goes back by itself when a new version does not come up, and the deployment says so', () => {
    expect(text).toHaveResourceWithProperties(EcsService, {
      deployment_circuit_breaker: { enable: true, rollback: true },
      deployment_minimum_healthy_percent: 50,
      deployment_maximum_percent: 200,
      wait_for_steady_state: true,
    })
  })

  test('comes after everything that a launch needs', () => {
    expect(text).toHaveResourceWithProperties(EcsService, {
      depends_on: expect.arrayContaining([
        expect.stringContaining('cluster_capacity_'),
        expect.stringContaining('roles_controller-policy_'),
        expect.stringContaining('roles_media-policy_'),
        expect.stringContaining('workers_media_'),
        expect.stringContaining('workers_internet_'),
      ]),
    })
  })

  test('is spread over two zones, and put back into balance', () => {
    expect(text).toHaveResourceWithProperties(EcsService, {
      availability_zone_rebalancing: 'ENABLED',
      network_configuration: expect.objectContaining({
        subnets: [expect.stringContaining('subnet-1'), expect.stringContaining('subnet-2')],
      }),
    })
  })

  test('can be entered with ECS Exec, and its tasks carry its tags', () => {
    expect(text).toHaveResourceWithProperties(EcsService, {
      enable_execute_command: true,
      propagate_tags: 'SERVICE',
    })
  })

  test('runs in a cluster with Spot beside On-Demand', () => {
    expect(text).toHaveResourceWithProperties(EcsCluster, { name: 'dev-jobs' })
    expect(text).toHaveResourceWithProperties(EcsClusterCapacityProviders, {
      capacity_providers: ['FARGATE', 'FARGATE_SPOT'],
    })
  })
})

describe('its task', () => {
  test('has different roles for its start and for its work', () => {
    expect(text).toHaveResourceWithProperties(EcsTaskDefinition, {
      family: 'dev-controller',
      execution_role_arn: expect.stringContaining('roles_controller-execution_'),
      task_role_arn: expect.stringMatching(/roles_controller_\w{8}\.arn/),
      skip_destroy: true,
    })
  })

  test.each([
    ['arm64', 'ARM64'],
    ['x86_64', 'X86_64'],
  ])('runs on %s where that is chosen', (ARCHITECTURE, cpu_architecture) => {
    expect(synthesizedText('dev', { ARCHITECTURE })).toHaveResourceWithProperties(EcsTaskDefinition, {
      family: 'dev-controller',
      runtime_platform: { cpu_architecture, operating_system_family: 'LINUX' },
    })
  })

  test('writes nowhere but to scratch, and where ECS Exec has to', () => {
    expect(controller).toMatchObject({
      readonlyRootFilesystem: true,
      linuxParameters: { initProcessEnabled: true },
      mountPoints: [
        { sourceVolume: 'scratch', containerPath: '/tmp', readOnly: false },
        { containerPath: '/managed-agents' },
        { containerPath: '/var/lib/amazon/ssm' },
        { containerPath: '/var/log/amazon/ssm' },
      ],
    })
    expect(text).toHaveResourceWithProperties(EcsTaskDefinition, {
      family: 'dev-controller',
      volume: [{ name: 'scratch' }, { name: 'exec-agent' }, { name: 'exec-state' }, { name: 'exec-log' }],
    })
  })

  test('is asked for its health by node, from inside, and has five minutes to start', () => {
    expect(controller.healthCheck).toEqual({
      command: ['CMD', 'node', '-e', expect.stringContaining("fetch('http://127.0.0.1:8080/readyz')")],
      interval: 15,
      timeout: 10,
      retries: 4,
      startPeriod: 300,
    })
  })

  test.each([
    [200, 0],
    [503, 1],
  ])('is healthy or not by the status: %i gives exit code %i', async (status, exitCode) => {
    const asked: string[] = []
    const server = createServer((request, response) => {
      asked.push(request.url ?? '')
      response.writeHead(status).end()
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    try {
      const [, , ...options] = (controller.healthCheck as { command: string[] }).command
      const { port } = server.address() as AddressInfo
      const child = spawn(
        process.execPath,
        options.map((option) => option.replace('8080', String(port))),
      )
      const [code] = (await once(child, 'exit')) as [number]
      expect(code).toBe(exitCode)
      expect(asked).toEqual(['/readyz'])
    } finally {
      server.close()
    }
  })
})

describe('its settings', () => {
  const settings = environmentOf(controller)

  test('are all settings that a controller knows', () => {
    expect(Object.keys(settings).length).toBeGreaterThan(20)
    expect(Object.keys(settings).filter((name) => !configurationNames.includes(name))).toEqual([])
    const role = { TRANSCRIBE_ROLE_ARN: 'arn:aws:iam::123456789012:role/dev-us-east-1-transcribe' }
    expect(settings.TRANSCRIBE_ROLE_ARN).toMatch(/^\$\{aws_iam_role\.roles_transcribe_\w+\.arn\}$/)
    expect(readConfiguration({ ...settings, ...role }, {})).toMatchObject({ ok: true })
  })

  test('keep status and API to the task itself', () => {
    expect(settings).toMatchObject({ HOST: '127.0.0.1', PORT: '8080', BEHIND_LOAD_BALANCER: 'off' })
    expect(settings).not.toHaveProperty('API_TOKEN')
    expect(controller).not.toHaveProperty('secrets')
  })

  test('name what was made here', () => {
    expect(settings).toMatchObject({
      INSTALLATION: 'dev',
      AWS_REGION: 'us-east-1',
      JOBS_TABLE: expect.stringMatching(/aws_dynamodb_table\.tables_jobs_\w+\.name/),
      CONTROL_TABLE: expect.stringContaining('tables_control_'),
      JOBS_QUEUE: expect.stringMatching(/queues_jobs_\w+\.name/),
      JOBS_DLQ: expect.stringContaining('queues_jobs-dlq_'),
      TASK_EVENTS_QUEUE: expect.stringContaining('queues_task-events_'),
      UPLOADS_BUCKET: expect.stringContaining('buckets_uploads_'),
      OUTPUTS_BUCKET: expect.stringContaining('buckets_outputs_'),
      CLUSTER: expect.stringMatching(/aws_ecs_cluster\.\w+\.name/),
      WORKER_TASK_DEFINITION: 'dev-worker',
      INTERNET_TASK_DEFINITION: 'dev-worker-internet',
      WORKER_CONTAINER: 'worker',
      LOG_GROUP: expect.stringContaining('logs_tasks_'),
      EMF_METRICS: 'on',
      LOG_FORMAT: 'json',
    })
  })

  test('that were chosen are handed on', () => {
    const chosen = environmentOf(container(synthesized('dev', { MAX_VCPU: '64' }), 'dev-controller'))
    expect(chosen.MAX_VCPU).toBe('64')
    expect(settings).not.toHaveProperty('MAX_VCPU')
  })
})

describe('with a load balancer', () => {
  const balanced = synthesized('dev', loadBalanced)
  const behind = container(balanced, 'dev-controller')

  test('it listens on all addresses, and then the token is required and secret', () => {
    expect(environmentOf(behind)).toMatchObject({ HOST: '0.0.0.0', BEHIND_LOAD_BALANCER: 'on' })
    expect(environmentOf(behind)).not.toHaveProperty('API_TOKEN')
    expect(behind.secrets).toEqual([{ name: 'API_TOKEN', valueFrom: loadBalanced.API_TOKEN_SECRET_ARN }])
  })

  test('its start is not held against it there either', () => {
    expect(synthesizedText('dev', loadBalanced)).toHaveResourceWithProperties(EcsService, {
      health_check_grace_period_seconds: 300,
      load_balancer: [expect.objectContaining({ container_name: 'controller', container_port: 8080 })],
    })
  })
})
