import { EcsTaskDefinition } from '@cdktf/provider-aws/lib/ecs-task-definition/index.js'
import type { IamRole } from '@cdktf/provider-aws/lib/iam-role/index.js'
import { Construct } from 'constructs'
import {
  type ResourceNames,
  type WorkerGroup,
  workerContainer,
  workerGroups,
  workerTaskDefinition,
} from '../../schemas/resources.ts'
import type { Config } from '../schema.ts'
import type { Buckets } from './buckets.ts'
import { architectureNames, scratch } from './container.ts'
import type { Images } from './images.ts'
import type { Logs } from './logs.ts'
import type { PerWorkerGroup, Roles } from './roles.ts'
import type { Tables } from './tables.ts'

export type WorkerParts = {
  names: ResourceNames
  buckets: Buckets
  tables: Tables
  images: Images
  logs: Logs
  roles: Roles
}

/** What each group of tasks is started from. Every launch says its own size. */
export class Workers extends Construct {
  readonly definitions: PerWorkerGroup<EcsTaskDefinition>

  constructor(scope: Construct, id: string, config: Config, parts: WorkerParts) {
    super(scope, id)
    this.definitions = {
      media: this.make('media', parts.roles.workers.media, config, parts),
      internet: this.make('internet', parts.roles.workers.internet, config, parts),
      ...(parts.roles.workers.seeding === undefined
        ? {}
        : { seeding: this.make('seeding', parts.roles.workers.seeding, config, parts) }),
    }
  }

  private make(group: WorkerGroup, role: IamRole, config: Config, parts: WorkerParts): EcsTaskDefinition {
    const { names, buckets, tables, images, logs, roles } = parts
    const { container, ...task } = workerTaskDefinition(group, {
      family: names[workerGroups[group].family],
      container: workerContainer,
      jobsTable: tables.jobs.name,
      outputsBucket: buckets.outputs.name,
      logGroup: logs.tasks.name,
      region: config.region,
      privateSources: config.privateSources,
      seedingPort: config.seedingPort,
    })
    return new EcsTaskDefinition(this, group, {
      ...task,
      requiresCompatibilities: [...task.requiresCompatibilities],
      runtimePlatform: {
        operatingSystemFamily: 'LINUX',
        cpuArchitecture: architectureNames[config.architecture],
      },
      taskRoleArn: role.arn,
      executionRoleArn: roles.workerExecution.arn,
      volume: [{ name: scratch.volume }],
      containerDefinitions: JSON.stringify([
        {
          ...container,
          image: images.worker.reference,
          ...(group === 'seeding'
            ? { portMappings: [{ containerPort: config.seedingPort, protocol: 'tcp' }] }
            : {}),
          readonlyRootFilesystem: true,
          mountPoints: [{ sourceVolume: scratch.volume, containerPath: scratch.path, readOnly: false }],
          // It reads files that strangers made: nothing but what an ordinary program may do.
          linuxParameters: { initProcessEnabled: true, capabilities: { drop: ['ALL'] } },
        },
      ]),
      // A launch that is under way asks for the revision it was written down with, and that has to stay.
      skipDestroy: true,
    })
  }
}
