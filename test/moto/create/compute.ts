import type { Block } from '../../support/synthesized.ts'
import { call, camel, ecsTags, list, type Maker, needed, one, tagList } from '../calls.ts'

const taskDefinition = (task: Block) => ({
  family: task.family,
  networkMode: task.network_mode,
  requiresCompatibilities: task.requires_compatibilities,
  cpu: task.cpu,
  memory: task.memory,
  runtimePlatform: camel(one(task.runtime_platform)),
  taskRoleArn: task.task_role_arn,
  executionRoleArn: task.execution_role_arn,
  volumes: list(task.volume).map(({ name }) => ({ name })),
  containerDefinitions: JSON.parse(String(task.container_definitions)) as unknown,
})

const awsvpc = (block: unknown) => {
  const { subnets, security_groups, assign_public_ip } = one(block)
  return {
    awsvpcConfiguration: {
      subnets,
      securityGroups: security_groups,
      assignPublicIp: assign_public_ip === true ? 'ENABLED' : 'DISABLED',
    },
  }
}

const service = (block: Block) => ({
  launchType: block.launch_type,
  taskDefinition: block.task_definition,
  desiredCount: block.desired_count,
  availabilityZoneRebalancing: block.availability_zone_rebalancing,
  enableExecuteCommand: block.enable_execute_command,
  enableECSManagedTags: block.enable_ecs_managed_tags,
  propagateTags: block.propagate_tags,
  networkConfiguration: awsvpc(block.network_configuration),
  deploymentConfiguration: {
    deploymentCircuitBreaker: camel(one(block.deployment_circuit_breaker)),
    maximumPercent: block.deployment_maximum_percent,
    minimumHealthyPercent: block.deployment_minimum_healthy_percent,
  },
})

const ecs: Record<string, Maker> = {
  aws_ecs_cluster: {
    *create(cluster) {
      const answer = yield call('ecs', 'CreateCluster', {
        clusterName: cluster.name,
        settings: list(cluster.setting).map(({ name, value }) => ({ name, value })),
        tags: ecsTags(cluster),
      })
      const arn = needed(answer, 'cluster.clusterArn')
      return { id: arn, arn }
    },
    looks: ({ name, setting }) => [
      {
        call: call('ecs', 'DescribeClusters', { clusters: [name], include: ['SETTINGS'] }),
        at: 'clusters',
        wanted: [{ clusterName: name, status: 'ACTIVE', settings: setting }],
      },
    ],
  },

  aws_ecs_cluster_capacity_providers: {
    *create({ cluster_name, capacity_providers }) {
      yield call('ecs', 'PutClusterCapacityProviders', {
        cluster: cluster_name,
        capacityProviders: capacity_providers,
        defaultCapacityProviderStrategy: [],
      })
      return { id: cluster_name }
    },
    looks: ({ cluster_name, capacity_providers }) => [
      {
        call: call('ecs', 'DescribeClusters', { clusters: [cluster_name] }),
        at: 'clusters',
        wanted: [{ capacityProviders: capacity_providers }],
      },
    ],
  },

  aws_ecs_task_definition: {
    *create(task) {
      const answer = yield call('ecs', 'RegisterTaskDefinition', {
        ...taskDefinition(task),
        tags: ecsTags(task),
      })
      return { id: task.family, arn: needed(answer, 'taskDefinition.taskDefinitionArn') }
    },
    looks: (task, { arn }) => [
      {
        call: call('ecs', 'DescribeTaskDefinition', { taskDefinition: arn }),
        at: 'taskDefinition',
        wanted: { ...taskDefinition(task), status: 'ACTIVE' },
      },
    ],
  },

  aws_ecs_service: {
    *create(block) {
      const answer = yield call('ecs', 'CreateService', {
        cluster: block.cluster,
        serviceName: block.name,
        ...service(block),
        tags: ecsTags(block),
      })
      return { id: needed(answer, 'service.serviceArn') }
    },
    looks: (block) => [
      {
        call: call('ecs', 'DescribeServices', { cluster: block.cluster, services: [block.name] }),
        at: 'services',
        wanted: [{ serviceName: block.name, status: 'ACTIVE', ...service(block) }],
      },
    ],
  },
}

const images: Record<string, Maker> = {
  aws_ecr_repository: {
    *create(repository) {
      const answer = yield call('ecr', 'CreateRepository', {
        repositoryName: repository.name,
        ...repositorySettings(repository),
        tags: tagList(repository),
      })
      return {
        arn: needed(answer, 'repository.repositoryArn'),
        repository_url: needed(answer, 'repository.repositoryUri'),
      }
    },
    looks: (repository) => [
      {
        call: call('ecr', 'DescribeRepositories', { repositoryNames: [repository.name] }),
        at: 'repositories',
        wanted: [repositorySettings(repository)],
      },
    ],
  },

  aws_ecr_lifecycle_policy: {
    *create({ repository, policy }) {
      yield call('ecr', 'PutLifecyclePolicy', { repositoryName: repository, lifecyclePolicyText: policy })
      return {}
    },
    looks: ({ repository, policy }) => [
      {
        call: call('ecr', 'GetLifecyclePolicy', { repositoryName: repository }),
        at: 'lifecyclePolicyText',
        wanted: policy,
      },
    ],
  },

  aws_ssm_parameter: {
    *create(parameter) {
      yield call('ssm', 'PutParameter', {
        Name: parameter.name,
        Type: parameter.type,
        Description: parameter.description,
        Value: parameter.insecure_value,
        Tags: tagList(parameter),
      })
      return { id: parameter.name }
    },
    looks: ({ name, type, insecure_value }) => [
      {
        call: call('ssm', 'GetParameter', { Name: name }),
        at: 'Parameter',
        wanted: { Type: type, Value: insecure_value },
      },
    ],
  },
}

const repositorySettings = (repository: Block) => ({
  imageTagMutability: repository.image_tag_mutability,
  imageScanningConfiguration: camel(one(repository.image_scanning_configuration)),
  encryptionConfiguration: camel(one(repository.encryption_configuration)),
})

export const compute: Record<string, Maker> = { ...ecs, ...images }
