import { call, type Maker, needed, tagsOn } from '../calls.ts'

const filter = (name: string, value: unknown) => [{ Name: name, Values: [value] }]

export const network: Record<string, Maker> = {
  aws_vpc: {
    *create(vpc) {
      const answer = yield call('ec2', 'CreateVpc', {
        CidrBlock: vpc.cidr_block,
        TagSpecifications: tagsOn('vpc', vpc),
      })
      const id = needed(answer, 'Vpc.VpcId')
      // One at a time, says the API.
      for (const [name, value] of [
        ['EnableDnsSupport', vpc.enable_dns_support],
        ['EnableDnsHostnames', vpc.enable_dns_hostnames],
      ] as const)
        yield call('ec2', 'ModifyVpcAttribute', { VpcId: id, [name]: { Value: value } })
      return { id }
    },
    looks: (vpc, { id }) => [
      {
        call: call('ec2', 'DescribeVpcs', { VpcIds: [id] }),
        at: 'Vpcs',
        wanted: [{ CidrBlock: vpc.cidr_block }],
      },
      {
        call: call('ec2', 'DescribeVpcAttribute', { VpcId: id, Attribute: 'enableDnsHostnames' }),
        at: 'EnableDnsHostnames',
        wanted: { Value: vpc.enable_dns_hostnames },
      },
    ],
  },

  /** Terraform takes over the group that comes with a network, and without rules of its own takes away what it allows. */
  aws_default_security_group: {
    *create(group) {
      const answer = yield call('ec2', 'DescribeSecurityGroups', {
        Filters: [...filter('vpc-id', group.vpc_id), ...filter('group-name', 'default')],
      })
      const id = needed(answer, 'SecurityGroups.0.GroupId')
      for (const [operation, permissions] of [
        ['RevokeSecurityGroupIngress', 'SecurityGroups.0.IpPermissions'],
        ['RevokeSecurityGroupEgress', 'SecurityGroups.0.IpPermissionsEgress'],
      ] as const) {
        const IpPermissions = needed(answer, permissions) as unknown[]
        if (IpPermissions.length > 0) yield call('ec2', operation, { GroupId: id, IpPermissions })
      }
      return { id }
    },
    looks: (_group, { id }) => [
      {
        call: call('ec2', 'DescribeSecurityGroups', { GroupIds: [id] }),
        at: 'SecurityGroups',
        wanted: [{ IpPermissions: [], IpPermissionsEgress: [] }],
      },
    ],
  },

  aws_internet_gateway: {
    *create(gateway) {
      const answer = yield call('ec2', 'CreateInternetGateway', {
        TagSpecifications: tagsOn('internet-gateway', gateway),
      })
      const id = needed(answer, 'InternetGateway.InternetGatewayId')
      yield call('ec2', 'AttachInternetGateway', { InternetGatewayId: id, VpcId: gateway.vpc_id })
      return { id }
    },
    looks: (gateway, { id }) => [
      {
        call: call('ec2', 'DescribeInternetGateways', { InternetGatewayIds: [id] }),
        at: 'InternetGateways.0.Attachments',
        wanted: [{ VpcId: gateway.vpc_id }],
      },
    ],
  },

  aws_subnet: {
    *create(subnet) {
      const answer = yield call('ec2', 'CreateSubnet', {
        VpcId: subnet.vpc_id,
        CidrBlock: subnet.cidr_block,
        AvailabilityZone: subnet.availability_zone,
        TagSpecifications: tagsOn('subnet', subnet),
      })
      const id = needed(answer, 'Subnet.SubnetId')
      const MapPublicIpOnLaunch = { Value: subnet.map_public_ip_on_launch }
      yield call('ec2', 'ModifySubnetAttribute', { SubnetId: id, MapPublicIpOnLaunch })
      return { id }
    },
    looks: (subnet, { id }) => [
      {
        call: call('ec2', 'DescribeSubnets', { SubnetIds: [id] }),
        at: 'Subnets',
        wanted: [
          {
            VpcId: subnet.vpc_id,
            CidrBlock: subnet.cidr_block,
            AvailabilityZone: subnet.availability_zone,
            MapPublicIpOnLaunch: subnet.map_public_ip_on_launch,
          },
        ],
      },
    ],
  },

  aws_route_table: {
    *create(table) {
      const answer = yield call('ec2', 'CreateRouteTable', {
        VpcId: table.vpc_id,
        TagSpecifications: tagsOn('route-table', table),
      })
      return { id: needed(answer, 'RouteTable.RouteTableId') }
    },
    looks: (table, { id }) => [
      {
        call: call('ec2', 'DescribeRouteTables', { RouteTableIds: [id] }),
        at: 'RouteTables',
        wanted: [{ VpcId: table.vpc_id }],
      },
    ],
  },

  aws_route: {
    *create(route) {
      yield call('ec2', 'CreateRoute', {
        RouteTableId: route.route_table_id,
        DestinationCidrBlock: route.destination_cidr_block,
        GatewayId: route.gateway_id,
      })
      return {}
    },
    looks: (route) => [
      {
        call: call('ec2', 'DescribeRouteTables', { RouteTableIds: [route.route_table_id] }),
        // The first one is within the network, and comes with the table.
        at: 'RouteTables.0.Routes.1',
        wanted: { DestinationCidrBlock: route.destination_cidr_block, GatewayId: route.gateway_id },
      },
    ],
  },

  aws_route_table_association: {
    *create(association) {
      const answer = yield call('ec2', 'AssociateRouteTable', {
        RouteTableId: association.route_table_id,
        SubnetId: association.subnet_id,
      })
      return { id: needed(answer, 'AssociationId') }
    },
    looks: (association) => [
      {
        call: call('ec2', 'DescribeRouteTables', {
          Filters: filter('association.subnet-id', association.subnet_id),
        }),
        at: 'RouteTables',
        wanted: [{ RouteTableId: association.route_table_id }],
      },
    ],
  },

  /** A new group lets everything out. Terraform takes that away, and what may leave are resources of their own. */
  aws_security_group: {
    *create(group) {
      const made = yield call('ec2', 'CreateSecurityGroup', {
        GroupName: group.name,
        Description: group.description,
        VpcId: group.vpc_id,
        TagSpecifications: tagsOn('security-group', group),
      })
      const id = needed(made, 'GroupId')
      yield call('ec2', 'RevokeSecurityGroupEgress', {
        GroupId: id,
        IpPermissions: [{ IpProtocol: '-1', IpRanges: [{ CidrIp: '0.0.0.0/0' }] }],
      })
      return { id }
    },
    looks: (group, { id }) => [
      {
        call: call('ec2', 'DescribeSecurityGroups', { GroupIds: [id] }),
        at: 'SecurityGroups',
        wanted: [
          {
            GroupName: group.name,
            Description: group.description,
            VpcId: group.vpc_id,
            IpPermissions: [],
          },
        ],
      },
    ],
  },

  aws_vpc_security_group_egress_rule: {
    *create(rule) {
      const answer = yield call('ec2', 'AuthorizeSecurityGroupEgress', {
        GroupId: rule.security_group_id,
        IpPermissions: [
          {
            IpProtocol: rule.ip_protocol,
            FromPort: rule.from_port,
            ToPort: rule.to_port,
            IpRanges: [{ CidrIp: rule.cidr_ipv4, Description: rule.description }],
          },
        ],
        TagSpecifications: tagsOn('security-group-rule', rule),
      })
      return { id: needed(answer, 'SecurityGroupRules.0.SecurityGroupRuleId') }
    },
    looks: (rule, { id }) => [
      {
        call: call('ec2', 'DescribeSecurityGroupRules', { SecurityGroupRuleIds: [id] }),
        at: 'SecurityGroupRules',
        wanted: [
          {
            GroupId: rule.security_group_id,
            IsEgress: true,
            IpProtocol: rule.ip_protocol,
            FromPort: rule.from_port,
            ToPort: rule.to_port,
            CidrIpv4: rule.cidr_ipv4,
            Description: rule.description,
          },
        ],
      },
    ],
  },
}
