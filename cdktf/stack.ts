import { AwsProvider } from '@cdktf/provider-aws/lib/provider/index.js'
import { S3Backend, TerraformStack } from 'cdktf'
import type { Construct } from 'constructs'
import { resourceNames } from '../schemas/resources.ts'
import { watchesOutputs } from '../schemas/triggers.ts'
import { stackName } from './config.ts'
import { Account } from './constructs/account.ts'
import { Alarms } from './constructs/alarms.ts'
import { Buckets } from './constructs/buckets.ts'
import { Budget } from './constructs/budget.ts'
import { Cluster } from './constructs/cluster.ts'
import { Controller } from './constructs/controller.ts'
import { Dashboard } from './constructs/dashboard.ts'
import { Endpoints, makeGatewayEndpoints } from './constructs/endpoints.ts'
import { Events } from './constructs/events.ts'
import { Images } from './constructs/images.ts'
import { LoadBalancer } from './constructs/load-balancer.ts'
import { Logs } from './constructs/logs.ts'
import { Network } from './constructs/network.ts'
import { Outputs } from './constructs/outputs.ts'
import { Queues } from './constructs/queues.ts'
import { Roles } from './constructs/roles.ts'
import { SecurityGroups } from './constructs/security-groups.ts'
import { Tables } from './constructs/tables.ts'
import { Workers } from './constructs/workers.ts'
import { type Config, triggersOf } from './schema.ts'

/**
 * One installation of the job operator. The ids in here are addresses in Terraform's state: a new name is a new resource,
 * and the old one is destroyed (test/cdktf/addresses.test.ts).
 */
export class OperatorStack extends TerraformStack {
  constructor(scope: Construct, config: Config) {
    super(scope, stackName(config.installation))
    // What `cdktf` was last tested with is 1.6; lock files in S3 came with 1.10, and the bindings do not know them.
    this.addOverride('terraform.required_version', config.state === undefined ? '>= 1.6' : '>= 1.10')
    if (config.state !== undefined)
      new S3Backend(this, { ...config.state, encrypt: true, ...{ use_lockfile: true } })
    new AwsProvider(this, 'aws', {
      region: config.region,
      ...(config.accountId !== undefined && { allowedAccountIds: [config.accountId] }),
      defaultTags: [
        {
          tags: {
            Project: 'ecs-job-operator',
            Environment: config.environment,
            Installation: config.installation,
          },
        },
      ],
    })
    const { installation } = config
    const names = resourceNames(`${installation}-`)
    const account = new Account(this, 'account', config.region)

    // Data
    const buckets = new Buckets(this, 'buckets', config, account)
    const queues = new Queues(this, 'queues', names)
    const tables = new Tables(this, 'tables', names, config)
    const logs = new Logs(this, 'logs', names, config.logRetentionDays)
    const images = new Images(this, 'images', names, config)

    // Network
    const network = new Network(this, 'network', config.network, installation)
    const endpoints =
      config.network.profile === 'endpoints'
        ? new Endpoints(this, 'endpoints', config, account, network, buckets)
        : undefined
    if (config.network.profile === 'nat') makeGatewayEndpoints(network, config, account, network, buckets)
    const securityGroups = new SecurityGroups(this, 'security-groups', config, network, endpoints)

    // Compute
    const cluster = new Cluster(this, 'cluster', names)
    const roles = new Roles(this, 'roles', config, {
      account,
      names,
      buckets,
      queues,
      tables,
      images,
      logs,
      cluster,
    })
    const workers = new Workers(this, 'workers', config, { names, buckets, tables, images, logs, roles })
    const loadBalancer =
      config.loadBalancer === undefined
        ? undefined
        : new LoadBalancer(
            this,
            'load-balancer',
            config,
            config.loadBalancer,
            network,
            securityGroups.controller,
          )
    new Controller(this, 'controller', config, {
      names,
      network,
      securityGroups,
      buckets,
      queues,
      tables,
      images,
      logs,
      cluster,
      roles,
      workers,
      loadBalancer,
      ways: [...network.ways, ...(endpoints?.all ?? [])],
    })

    // Events
    new Events(this, 'events', {
      installation,
      account,
      buckets,
      queues,
      cluster,
      watchesOutputs: watchesOutputs(triggersOf(config.settings)),
    })

    // Watching
    const alarms = new Alarms(this, 'alarms', config, { account, names, images })
    const dashboard = new Dashboard(this, 'dashboard', config, { names, alarms: alarms.alarms })
    if (config.monthlyBudgetUsd !== undefined)
      new Budget(this, 'budget', config, config.monthlyBudgetUsd, alarms.topic)

    new Outputs(this, 'outputs', config, {
      names,
      buckets,
      queues,
      tables,
      images,
      logs,
      network,
      securityGroups,
      alarms,
      dashboard,
      loadBalancer,
    })
  }
}
