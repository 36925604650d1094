import { Lb } from '@cdktf/provider-aws/lib/lb/index.js'
import { LbListener } from '@cdktf/provider-aws/lib/lb-listener/index.js'
import { LbTargetGroup } from '@cdktf/provider-aws/lib/lb-target-group/index.js'
import { SecurityGroup } from '@cdktf/provider-aws/lib/security-group/index.js'
import { VpcSecurityGroupEgressRule } from '@cdktf/provider-aws/lib/vpc-security-group-egress-rule/index.js'
import { VpcSecurityGroupIngressRule } from '@cdktf/provider-aws/lib/vpc-security-group-ingress-rule/index.js'
import { Construct } from 'constructs'
import type { Config } from '../schema.ts'
import { statusPort } from './container.ts'
import type { Network } from './network.ts'

export type LoadBalancerConfig = NonNullable<Config['loadBalancer']>

/** Status and API for networks that are named, over HTTPS and with a token. Only where somebody asked for it. */
export class LoadBalancer extends Construct {
  readonly targetGroupArn: string
  readonly listener: LbListener
  readonly address: string

  constructor(
    scope: Construct,
    id: string,
    config: Config,
    wanted: LoadBalancerConfig,
    network: Network,
    controllers: SecurityGroup,
  ) {
    super(scope, id)
    const group = this.makeSecurityGroup(config, wanted, network, controllers)
    const balancer = new Lb(this, 'balancer', {
      name: `${config.installation}-api`,
      loadBalancerType: 'application',
      internal: wanted.internal,
      subnets: [...subnetsFor(wanted, network)],
      securityGroups: [group.id],
      dropInvalidHeaderFields: true,
      enableDeletionProtection: config.protectData,
    })
    const targets = new LbTargetGroup(this, 'targets', {
      name: `${config.installation}-api`,
      vpcId: network.vpcId,
      port: statusPort,
      protocol: 'HTTP',
      targetType: 'ip',
      deregistrationDelay: '30',
      healthCheck: { path: '/readyz', matcher: '200', interval: 15, timeout: 10, unhealthyThreshold: 4 },
    })
    this.listener = new LbListener(this, 'https', {
      loadBalancerArn: balancer.arn,
      port: 443,
      protocol: 'HTTPS',
      sslPolicy: 'ELBSecurityPolicy-TLS13-1-2-2021-06',
      certificateArn: wanted.certificateArn,
      defaultAction: [{ type: 'forward', targetGroupArn: targets.arn }],
    })
    this.targetGroupArn = targets.arn
    this.address = balancer.dnsName
  }

  private makeSecurityGroup(
    config: Config,
    wanted: LoadBalancerConfig,
    network: Network,
    controllers: SecurityGroup,
  ): SecurityGroup {
    const group = new SecurityGroup(this, 'security-group', {
      name: `${config.installation}-api`,
      description: 'Load balancer of status and API',
      vpcId: network.vpcId,
      tags: { Name: `${config.installation}-api` },
    })
    wanted.allowedCidrs.forEach((cidrIpv4) => {
      new VpcSecurityGroupIngressRule(this, `from-${cidrIpv4.replace(/[./]/g, '-')}`, {
        securityGroupId: group.id,
        description: 'HTTPS from a network that is allowed to',
        cidrIpv4,
        ipProtocol: 'tcp',
        fromPort: 443,
        toPort: 443,
      })
    })
    const plain = { ipProtocol: 'tcp', fromPort: statusPort, toPort: statusPort }
    new VpcSecurityGroupEgressRule(this, 'to-controllers', {
      ...plain,
      securityGroupId: group.id,
      referencedSecurityGroupId: controllers.id,
      description: 'To controllers',
    })
    new VpcSecurityGroupIngressRule(this, 'controllers-from-balancer', {
      ...plain,
      securityGroupId: controllers.id,
      referencedSecurityGroupId: group.id,
      description: 'From the load balancer',
    })
    return group
  }
}

/** One that faces the internet stands in public subnets; schema.ts sees to it that there are some. */
const subnetsFor = (wanted: LoadBalancerConfig, network: Network): readonly string[] => {
  if (wanted.subnetIds !== undefined) return wanted.subnetIds
  if (wanted.internal && network.privateSubnetIds.length > 0) return network.privateSubnetIds
  return network.publicSubnetIds
}
