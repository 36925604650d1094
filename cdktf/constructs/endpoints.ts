import { SecurityGroup } from '@cdktf/provider-aws/lib/security-group/index.js'
import { VpcEndpoint } from '@cdktf/provider-aws/lib/vpc-endpoint/index.js'
import { VpcSecurityGroupIngressRule } from '@cdktf/provider-aws/lib/vpc-security-group-ingress-rule/index.js'
import { Construct } from 'constructs'
import type { Config } from '../schema.ts'
import type { Account } from './account.ts'
import type { Buckets } from './buckets.ts'
import type { Network } from './network.ts'
import { policyDocument } from './policy.ts'

/** Those that cost by the hour are made for services that are called, and no others. */
const interfaceServices = [
  'ecr.api',
  'ecr.dkr', // Images, with the S3 endpoint for their layers.
  'logs',
  'sqs',
  'ecs', // The controllers' calls; tasks on Fargate need none for themselves.
  'transcribe',
  'ssmmessages', // ECS Exec, which is how people reach the status page.
] as const

/** Doors of AWS inside the VPC, for networks without the internet. */
export class Endpoints extends Construct {
  readonly securityGroup: SecurityGroup
  readonly s3: VpcEndpoint
  readonly dynamodb: VpcEndpoint
  /** Who starts tasks waits for them: a task that cannot reach its image fails. */
  readonly all: readonly VpcEndpoint[]

  constructor(
    scope: Construct,
    id: string,
    config: Config,
    account: Account,
    network: Network,
    buckets: Buckets,
  ) {
    super(scope, id)
    const gateways = makeGatewayEndpoints(this, config, account, network, buckets)
    this.s3 = gateways.s3
    this.dynamodb = gateways.dynamodb
    this.securityGroup = new SecurityGroup(this, 'security-group', {
      name: `${config.installation}-endpoints`,
      description: 'Endpoints of AWS services',
      vpcId: network.vpcId,
      tags: { Name: `${config.installation}-endpoints` },
    })
    const services = [
      ...interfaceServices,
      ...(config.loadBalancer === undefined ? [] : ['secretsmanager']), // The token of the API.
      ...(config.bedrockModelArns.length === 0 ? [] : ['bedrock-runtime']),
    ]
    const doors = services.map(
      (service) =>
        new VpcEndpoint(this, service.replace('.', '-'), {
          vpcId: network.vpcId,
          serviceName: `com.amazonaws.${config.region}.${service}`,
          vpcEndpointType: 'Interface',
          privateDnsEnabled: true,
          subnetIds: [...network.privateSubnetIds],
          securityGroupIds: [this.securityGroup.id],
          tags: { Name: `${config.installation}-${service}` },
        }),
    )
    this.all = [this.s3, this.dynamodb, ...doors]
  }

  /** Lets these come in. The only ones that do. */
  admit(groups: readonly SecurityGroup[]): void {
    for (const group of groups)
      new VpcSecurityGroupIngressRule(this, `from-${group.node.id}`, {
        securityGroupId: this.securityGroup.id,
        referencedSecurityGroupId: group.id,
        description: `HTTPS from ${group.node.id}`,
        ipProtocol: 'tcp',
        fromPort: 443,
        toPort: 443,
      })
  }
}

/** They cost nothing, and keep what is large off the meters of NAT gateways. */
export function makeGatewayEndpoints(
  scope: Construct,
  config: Config,
  account: Account,
  network: Network,
  buckets: Buckets,
): { s3: VpcEndpoint; dynamodb: VpcEndpoint } {
  const make = (service: 's3' | 'dynamodb', policy: string) =>
    new VpcEndpoint(scope, service, {
      vpcId: network.vpcId,
      serviceName: `com.amazonaws.${config.region}.${service}`,
      vpcEndpointType: 'Gateway',
      routeTableIds: [...network.routeTableIds],
      policy,
      tags: { Name: `${config.installation}-${service}` },
    })
  return {
    s3: make('s3', s3EndpointPolicy(config, account, buckets)),
    dynamodb: make('dynamodb', dynamodbEndpointPolicy(account)),
  }
}

/**
 * An endpoint grants nothing, it only narrows what roles grant. Here: to what belongs to this account, so that a task that was
 * taken over cannot carry uploads to a bucket of somebody else.
 */
const s3EndpointPolicy = (config: Config, account: Account, { uploads, outputs }: Buckets): string =>
  policyDocument([
    {
      sid: 'OwnAccount',
      principals: '*',
      actions: ['s3:*'],
      resources: ['*'],
      conditions: { StringEquals: { 'aws:ResourceAccount': account.id } },
    },
    {
      sid: 'OwnBuckets', // They may exist in another account.
      principals: '*',
      actions: ['s3:*'],
      resources: [uploads, outputs].flatMap(({ arn }) => [arn, `${arn}/*`]),
    },
    {
      sid: 'ImageLayers', // Where ECR keeps them (ECR user guide, interface VPC endpoints).
      principals: '*',
      actions: ['s3:GetObject'],
      resources: [`arn:${account.partition}:s3:::prod-${config.region}-starport-layer-bucket/*`],
    },
  ])

const dynamodbEndpointPolicy = (account: Account): string =>
  policyDocument([
    {
      sid: 'OwnAccount',
      principals: '*',
      actions: ['dynamodb:*'],
      resources: ['*'],
      conditions: { StringEquals: { 'aws:ResourceAccount': account.id } },
    },
  ])
