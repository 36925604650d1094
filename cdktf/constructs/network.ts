import { DataAwsAvailabilityZones } from '@cdktf/provider-aws/lib/data-aws-availability-zones/index.js'
import { DefaultSecurityGroup } from '@cdktf/provider-aws/lib/default-security-group/index.js'
import { Eip } from '@cdktf/provider-aws/lib/eip/index.js'
import { InternetGateway } from '@cdktf/provider-aws/lib/internet-gateway/index.js'
import { NatGateway } from '@cdktf/provider-aws/lib/nat-gateway/index.js'
import { Route } from '@cdktf/provider-aws/lib/route/index.js'
import { RouteTable } from '@cdktf/provider-aws/lib/route-table/index.js'
import { RouteTableAssociation } from '@cdktf/provider-aws/lib/route-table-association/index.js'
import { Subnet } from '@cdktf/provider-aws/lib/subnet/index.js'
import { Vpc } from '@cdktf/provider-aws/lib/vpc/index.js'
import { Fn, type TerraformResource, Token } from 'cdktf'
import { Construct } from 'constructs'
import type { Network as NetworkConfig } from '../schema.ts'

/** Where tasks run. */
export type Placement = { subnetIds: readonly string[]; assignPublicIp: boolean }

type OwnNetwork = Exclude<NetworkConfig, { profile: 'existing' }>
type Zone = { subnet: Subnet; routes: RouteTable }
type OpenZone = Zone & { out: Route }

/** A VPC of our own in one of three profiles, or places in one that exists. */
export class Network extends Construct {
  readonly vpcId: string
  /** Controllers and tasks of the group `media`. */
  readonly tasks: Placement
  readonly internet: Placement
  /** Tasks that seed: what peers are to reach needs a public address, also where others go out through NAT. */
  readonly seeding: Placement
  readonly publicSubnetIds: readonly string[]
  readonly privateSubnetIds: readonly string[]
  /** Of all subnets made here: gateway endpoints are entries in them. */
  readonly routeTableIds: readonly string[]
  /** The ways out. Who starts tasks waits for them: a task that cannot reach its image fails. */
  readonly ways: readonly TerraformResource[]

  constructor(scope: Construct, id: string, network: NetworkConfig, installation: string) {
    super(scope, id)
    if (network.profile === 'existing') {
      this.vpcId = network.vpcId
      this.tasks = { subnetIds: network.subnetIds, assignPublicIp: network.assignPublicIp }
      this.internet = {
        subnetIds: network.internetSubnetIds ?? network.subnetIds,
        assignPublicIp: network.internetAssignPublicIp ?? network.assignPublicIp,
      }
      this.seeding = this.internet
      this.publicSubnetIds = []
      this.privateSubnetIds = network.subnetIds
      this.routeTableIds = []
      this.ways = []
      return
    }
    const vpc = this.makeVpc(network, installation)
    this.vpcId = vpc.id
    const isOpen = network.profile !== 'endpoints' || network.internet
    const publicZones = isOpen ? this.makePublic(vpc, network, installation) : []
    const privateZones =
      network.profile === 'public' ? [] : this.makeSubnets('private', vpc, network, installation)
    const natRoutes =
      network.profile === 'nat' ? this.makeNat(network, publicZones, privateZones, installation) : []

    this.ways = [...publicZones.map(({ out }) => out), ...natRoutes]
    this.publicSubnetIds = publicZones.map(({ subnet }) => subnet.id)
    this.privateSubnetIds = privateZones.map(({ subnet }) => subnet.id)
    this.routeTableIds = [...publicZones, ...privateZones].map(({ routes }) => routes.id)
    const inPublic = { subnetIds: this.publicSubnetIds, assignPublicIp: true }
    const inPrivate = { subnetIds: this.privateSubnetIds, assignPublicIp: false }
    this.tasks = network.profile === 'public' ? inPublic : inPrivate
    this.internet = network.profile === 'nat' || !isOpen ? inPrivate : inPublic
    this.seeding = isOpen ? inPublic : inPrivate
  }

  private makeVpc(network: OwnNetwork, installation: string): Vpc {
    const vpc = new Vpc(this, 'vpc', {
      cidrBlock: network.cidr,
      enableDnsSupport: true,
      enableDnsHostnames: true,
      tags: { Name: installation },
    })
    // Every VPC comes with a group that lets its members talk to each other. Nothing here uses it; taken over, it has no rules.
    new DefaultSecurityGroup(this, 'default-security-group', { vpcId: vpc.id })
    return vpc
  }

  /** One subnet for each zone. The two kinds are cut from the two halves of the network, so that zones can be added. */
  private makeSubnets(
    kind: 'public' | 'private',
    vpc: Vpc,
    network: OwnNetwork,
    installation: string,
  ): Zone[] {
    const half = kind === 'public' ? 0 : 8
    return Array.from({ length: network.zones }, (_, index) => {
      const name = { Name: `${installation}-${kind}-${index + 1}` }
      const subnet = new Subnet(this, `${kind}-subnet-${index + 1}`, {
        vpcId: vpc.id,
        cidrBlock: Fn.cidrsubnet(network.cidr, 4, half + index),
        availabilityZone: Token.asString(Fn.element(this.zones().names, index)),
        // Tasks that need a public address ask for one at their launch.
        mapPublicIpOnLaunch: false,
        tags: name,
      })
      const routes = new RouteTable(this, `${kind}-routes-${index + 1}`, { vpcId: vpc.id, tags: name })
      new RouteTableAssociation(this, `${kind}-association-${index + 1}`, {
        subnetId: subnet.id,
        routeTableId: routes.id,
      })
      return { subnet, routes }
    })
  }

  private makePublic(vpc: Vpc, network: OwnNetwork, installation: string): OpenZone[] {
    const gateway = new InternetGateway(this, 'internet-gateway', {
      vpcId: vpc.id,
      tags: { Name: installation },
    })
    return this.makeSubnets('public', vpc, network, installation).map((zone, index) => ({
      ...zone,
      out: new Route(this, `public-route-${index + 1}`, {
        routeTableId: zone.routes.id,
        destinationCidrBlock: anywhere,
        gatewayId: gateway.id,
      }),
    }))
  }

  private makeNat(
    network: OwnNetwork & { profile: 'nat' },
    publicZones: readonly OpenZone[],
    privateZones: readonly Zone[],
    installation: string,
  ): Route[] {
    const inZones = network.gateways === 'one' ? publicZones.slice(0, 1) : publicZones
    const gateways = inZones.map(({ subnet, out }, index) => {
      const tags = { Name: `${installation}-${index + 1}` }
      const address = new Eip(this, `nat-address-${index + 1}`, { domain: 'vpc', tags })
      return new NatGateway(this, `nat-${index + 1}`, {
        allocationId: address.id,
        subnetId: subnet.id,
        tags,
        // It is refused in a network that has no way to the internet yet.
        dependsOn: [out],
      })
    })
    return privateZones.flatMap(({ routes }, index) => {
      const gateway = gateways[index] ?? gateways[0]
      if (gateway === undefined) return []
      return new Route(this, `private-route-${index + 1}`, {
        routeTableId: routes.id,
        destinationCidrBlock: anywhere,
        natGatewayId: gateway.id,
      })
    })
  }

  private zones(): DataAwsAvailabilityZones {
    const made = this.node.tryFindChild('zones')
    if (made instanceof DataAwsAvailabilityZones) return made
    return new DataAwsAvailabilityZones(this, 'zones', {
      state: 'available',
      // Local and Wavelength Zones have to be opted in to, and have no Fargate.
      filter: [{ name: 'opt-in-status', values: ['opt-in-not-required'] }],
    })
  }
}

export const anywhere = '0.0.0.0/0'
