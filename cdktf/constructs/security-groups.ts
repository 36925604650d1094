import { SecurityGroup } from '@cdktf/provider-aws/lib/security-group/index.js'
import { VpcSecurityGroupEgressRule } from '@cdktf/provider-aws/lib/vpc-security-group-egress-rule/index.js'
import { VpcSecurityGroupIngressRule } from '@cdktf/provider-aws/lib/vpc-security-group-ingress-rule/index.js'
import { Construct } from 'constructs'
import type { Config } from '../schema.ts'
import type { Endpoints } from './endpoints.ts'
import { anywhere, type Network } from './network.ts'

/** One security group for each role. Nobody may come in, but for peers where something seeds; what may go out is what the network profile makes possible. */
export class SecurityGroups extends Construct {
  readonly controller: SecurityGroup
  readonly media: SecurityGroup
  readonly internet: SecurityGroup
  /** Absent: nobody seeds, and nothing is open. */
  readonly seeding: SecurityGroup | undefined

  constructor(
    scope: Construct,
    id: string,
    config: Config,
    network: Network,
    endpoints: Endpoints | undefined,
  ) {
    super(scope, id)
    const make = (role: string, description: string) =>
      new SecurityGroup(this, role, {
        name: `${config.installation}-${role}`,
        description,
        vpcId: network.vpcId,
        tags: { Name: `${config.installation}-${role}` },
      })
    this.controller = make('controller', 'Controllers of the job operator')
    this.media = make('media', 'Tasks that work on uploads')
    this.internet = make('internet', 'Tasks that may reach the internet')

    this.toAws('controller', this.controller, endpoints)
    this.toAws('media', this.media, endpoints)
    this.toAws('internet', this.internet, endpoints)
    if (reachesInternet(config.network)) this.toInternet(config.internetPorts, endpoints !== undefined)
    this.seeding = config.seedingPort === undefined ? undefined : make('seeding', 'Tasks that seed torrents')
    if (this.seeding !== undefined && config.seedingPort !== undefined) {
      this.toAws('seeding', this.seeding, endpoints)
      this.betweenPeers(this.seeding, config.seedingPort)
    }
    endpoints?.admit([
      this.controller,
      this.media,
      this.internet,
      ...(this.seeding === undefined ? [] : [this.seeding]),
    ])
  }

  /** Anybody may be a peer, and peers and trackers listen wherever they like. */
  private betweenPeers(group: SecurityGroup, port: number): void {
    new VpcSecurityGroupIngressRule(this, 'seeding-from-peers', {
      securityGroupId: group.id,
      description: 'Peers that download what is seeded',
      cidrIpv4: anywhere,
      ipProtocol: 'tcp',
      fromPort: port,
      toPort: port,
    })
    new VpcSecurityGroupEgressRule(this, 'seeding-to-peers', {
      securityGroupId: group.id,
      description: 'Peers and trackers, which listen on any port',
      cidrIpv4: anywhere,
      ipProtocol: '-1',
    })
  }

  /** Everything that our code calls is HTTPS. With endpoints it is known where; without them it is a public address of AWS. */
  private toAws(role: string, group: SecurityGroup, endpoints: Endpoints | undefined): void {
    const allow = (to: string, description: string, target: Target) =>
      new VpcSecurityGroupEgressRule(this, `${role}-to-${to}`, {
        securityGroupId: group.id,
        description,
        ipProtocol: 'tcp',
        fromPort: 443,
        toPort: 443,
        ...target,
      })
    if (endpoints === undefined) {
      allow('aws', 'APIs of AWS, which have public addresses', { cidrIpv4: anywhere })
      return
    }
    allow('endpoints', 'APIs of AWS', { referencedSecurityGroupId: endpoints.securityGroup.id })
    allow('s3', 'S3', { prefixListId: endpoints.s3.prefixListId })
    allow('dynamodb', 'DynamoDB', { prefixListId: endpoints.dynamodb.prefixListId })
  }

  private toInternet(ports: Config['internetPorts'], httpsToo: boolean): void {
    const allow = (to: string, description: string, rule: Ports) =>
      new VpcSecurityGroupEgressRule(this, `internet-to-${to}`, {
        securityGroupId: this.internet.id,
        description,
        cidrIpv4: anywhere,
        ...rule,
      })
    if (ports === 'any') {
      allow('any', 'Whatever streams and torrents speak', { ipProtocol: '-1' })
      return
    }
    allow('http', 'Streams over HTTP', { ipProtocol: 'tcp', fromPort: 80, toPort: 80 })
    if (httpsToo) allow('https', 'Streams over HTTPS', { ipProtocol: 'tcp', fromPort: 443, toPort: 443 })
  }
}

type Target = { cidrIpv4: string } | { referencedSecurityGroupId: string } | { prefixListId: string }
type Ports = { ipProtocol: string; fromPort?: number; toPort?: number }

const reachesInternet = (network: Config['network']): boolean =>
  network.profile !== 'endpoints' || network.internet
