import { EcsCluster } from '@cdktf/provider-aws/lib/ecs-cluster/index.js'
import { EcsClusterCapacityProviders } from '@cdktf/provider-aws/lib/ecs-cluster-capacity-providers/index.js'
import { Construct } from 'constructs'
import type { ResourceNames } from '../../schemas/resources.ts'

/** Where controllers and tasks run. Which capacity a task takes is said by each launch. */
export class Cluster extends Construct {
  readonly cluster: EcsCluster
  /** What needs the cluster with its capacity waits for this. */
  readonly capacity: EcsClusterCapacityProviders

  constructor(scope: Construct, id: string, names: ResourceNames) {
    super(scope, id)
    this.cluster = new EcsCluster(this, 'cluster', {
      name: names.cluster,
      // Priced per task and metric; the controller says what matters by itself.
      setting: [{ name: 'containerInsights', value: 'disabled' }],
    })
    this.capacity = new EcsClusterCapacityProviders(this, 'capacity', {
      clusterName: this.cluster.name,
      capacityProviders: ['FARGATE', 'FARGATE_SPOT'],
    })
  }
}
