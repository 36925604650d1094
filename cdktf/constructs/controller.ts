import { EcsService } from '@cdktf/provider-aws/lib/ecs-service/index.js'
import { EcsTaskDefinition } from '@cdktf/provider-aws/lib/ecs-task-definition/index.js'
import { type TerraformResource, Token } from 'cdktf'
import { Construct } from 'constructs'
import type { configurationGroups } from '../../schemas/configuration.ts'
import {
  controllerContainer,
  environmentList,
  type ResourceNames,
  workerContainer,
} from '../../schemas/resources.ts'
import type { Config } from '../schema.ts'
import type { Buckets } from './buckets.ts'
import type { Cluster } from './cluster.ts'
import { architectureNames, scratch, statusPort } from './container.ts'
import type { Images } from './images.ts'
import type { LoadBalancer } from './load-balancer.ts'
import type { Logs } from './logs.ts'
import type { Network } from './network.ts'
import type { Queues } from './queues.ts'
import type { Roles } from './roles.ts'
import type { SecurityGroups } from './security-groups.ts'
import type { Tables } from './tables.ts'
import type { Workers } from './workers.ts'

export type ControllerParts = {
  names: ResourceNames
  network: Network
  securityGroups: SecurityGroups
  buckets: Buckets
  queues: Queues
  tables: Tables
  images: Images
  logs: Logs
  cluster: Cluster
  roles: Roles
  workers: Workers
  loadBalancer: LoadBalancer | undefined
  /** What tasks reach AWS by. */
  ways: readonly TerraformResource[]
}

/** The names of settings that a controller reads; another one does not compile. */
type Settings = Partial<
  Record<keyof typeof configurationGroups.shared | keyof typeof configurationGroups.controller, string>
>

/** The service: one controller leads, the others stand by. */
export class Controller extends Construct {
  readonly service: EcsService
  readonly definition: EcsTaskDefinition

  constructor(scope: Construct, id: string, config: Config, parts: ControllerParts) {
    super(scope, id)
    this.definition = this.makeDefinition(config, parts)
    this.service = this.makeService(config, parts)
  }

  private makeDefinition(config: Config, parts: ControllerParts): EcsTaskDefinition {
    const { names, images, roles } = parts
    return new EcsTaskDefinition(this, 'task', {
      family: names.controllerFamily,
      networkMode: 'awsvpc',
      requiresCompatibilities: ['FARGATE'],
      cpu: String(config.controllers.cpu),
      memory: String(config.controllers.memoryMiB),
      runtimePlatform: {
        operatingSystemFamily: 'LINUX',
        cpuArchitecture: architectureNames[config.architecture],
      },
      taskRoleArn: roles.controller.arn,
      executionRoleArn: roles.controllerExecution.arn,
      volume: writablePaths.map(({ volume }) => ({ name: volume })),
      containerDefinitions: JSON.stringify([
        {
          name: controllerContainer,
          image: images.controller.reference,
          essential: true,
          environment: environmentList(settingsOf(config, parts)),
          ...(config.loadBalancer !== undefined && {
            secrets: [
              {
                name: 'API_TOKEN' satisfies keyof Settings,
                valueFrom: config.loadBalancer.apiTokenSecretArn,
              },
            ],
          }),
          portMappings: [{ containerPort: statusPort, hostPort: statusPort, protocol: 'tcp' }],
          readonlyRootFilesystem: true,
          mountPoints: writablePaths.map(({ volume, path }) => ({
            sourceVolume: volume,
            containerPath: path,
            readOnly: false,
          })),
          linuxParameters: { initProcessEnabled: true },
          stopTimeout: 60,
          healthCheck,
          logConfiguration: {
            logDriver: 'awslogs',
            options: {
              'awslogs-group': parts.logs.controller.name,
              'awslogs-region': config.region,
              'awslogs-stream-prefix': controllerContainer,
              // A log that cannot be written must not hold up the loop.
              mode: 'non-blocking',
              'max-buffer-size': '4m',
            },
          },
        },
      ]),
      // What a failed deployment goes back to has to stay.
      skipDestroy: true,
    })
  }

  private makeService(config: Config, parts: ControllerParts): EcsService {
    const { cluster, images, network, securityGroups, loadBalancer, roles, workers, ways } = parts
    return new EcsService(this, 'service', {
      name: parts.names.controllerFamily,
      cluster: cluster.cluster.arn,
      taskDefinition: this.definition.arn,
      desiredCount: Token.asNumber(images.onceThere(config.controllers.count, 0)),
      launchType: 'FARGATE',
      availabilityZoneRebalancing: 'ENABLED',
      deploymentMinimumHealthyPercent: 50,
      deploymentMaximumPercent: 200,
      deploymentCircuitBreaker: { enable: true, rollback: true },
      // A deployment that was rolled back is a failed one, and the person who deploys is told.
      waitForSteadyState: true,
      timeouts: { create: '20m', update: '20m' },
      enableExecuteCommand: true,
      enableEcsManagedTags: true,
      propagateTags: 'SERVICE',
      networkConfiguration: {
        subnets: [...network.tasks.subnetIds],
        securityGroups: [securityGroups.controller.id],
        assignPublicIp: network.tasks.assignPublicIp,
      },
      ...(loadBalancer !== undefined && {
        loadBalancer: [
          {
            containerName: controllerContainer,
            containerPort: statusPort,
            targetGroupArn: loadBalancer.targetGroupArn,
          },
        ],
        healthCheckGracePeriodSeconds: slowestStartS,
      }),
      // It may launch as soon as it runs, and then everything that a launch needs has to be there.
      dependsOn: [
        cluster.capacity,
        ...ways,
        ...roles.policies,
        ...Object.values(workers.definitions),
        ...(loadBalancer === undefined ? [] : [loadBalancer.listener]),
      ],
    })
  }
}

/** ECS Exec puts an agent into the container, which writes to these three (found by its users, containers-roadmap 1359). */
const writablePaths = [
  scratch,
  { volume: 'exec-agent', path: '/managed-agents' },
  { volume: 'exec-state', path: '/var/lib/amazon/ssm' },
  { volume: 'exec-log', path: '/var/log/amazon/ssm' },
] as const

/** The longest that ECS lets a start take before it counts (API reference, HealthCheck). */
const slowestStartS = 300

/** By node, because the image has no curl. */
const healthCheck = {
  command: [
    'CMD',
    'node',
    '-e',
    `fetch('http://127.0.0.1:${statusPort}/readyz').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))`,
  ],
  interval: 15,
  timeout: 10,
  retries: 4,
  startPeriod: slowestStartS,
}

const settingsOf = (config: Config, parts: ControllerParts): Settings => {
  const { names, network, securityGroups, buckets, queues, tables, logs, cluster, roles } = parts
  const publicIp = (assign: boolean) => (assign ? 'ENABLED' : 'DISABLED')
  return {
    ...given(config.settings),
    AWS_REGION: config.region,
    INSTALLATION: config.installation,
    LOG_FORMAT: 'json',
    JOBS_TABLE: tables.jobs.name,
    CONTROL_TABLE: tables.control.name,
    JOBS_QUEUE: queues.jobs.name,
    JOBS_DLQ: queues.jobsDlq.name,
    TASK_EVENTS_QUEUE: queues.taskEvents.name,
    UPLOADS_BUCKET: buckets.uploads.name,
    OUTPUTS_BUCKET: buckets.outputs.name,
    CLUSTER: cluster.cluster.name,
    WORKER_TASK_DEFINITION: names.workerFamily,
    INTERNET_TASK_DEFINITION: names.internetFamily,
    WORKER_CONTAINER: workerContainer,
    LOG_GROUP: logs.tasks.name,
    SUBNETS: network.tasks.subnetIds.join(','),
    SECURITY_GROUPS: securityGroups.media.id,
    ASSIGN_PUBLIC_IP: publicIp(network.tasks.assignPublicIp),
    INTERNET_SUBNETS: network.internet.subnetIds.join(','),
    INTERNET_SECURITY_GROUPS: securityGroups.internet.id,
    INTERNET_ASSIGN_PUBLIC_IP: publicIp(network.internet.assignPublicIp),
    ...(securityGroups.seeding === undefined
      ? {}
      : {
          SEEDING_PORT: String(config.seedingPort),
          SEEDING_TASK_DEFINITION: names.seedingFamily,
          SEEDING_SUBNETS: network.seeding.subnetIds.join(','),
          SEEDING_SECURITY_GROUPS: securityGroups.seeding.id,
          SEEDING_ASSIGN_PUBLIC_IP: publicIp(network.seeding.assignPublicIp),
        }),
    // Loopback unless a load balancer has to reach it: then the token is required.
    HOST: config.loadBalancer === undefined ? '127.0.0.1' : '0.0.0.0',
    PORT: String(statusPort),
    BEHIND_LOAD_BALANCER: config.loadBalancer === undefined ? 'off' : 'on',
    TRANSCRIBE_ROLE_ARN: roles.transcribe.arn,
    EMF_METRICS: 'on',
  }
}

const given = (settings: Config['settings']): Settings =>
  Object.fromEntries(
    Object.entries(settings).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  )
