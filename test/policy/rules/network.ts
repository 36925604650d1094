import { add, put, remove, set } from '../mutate.ts'
import { blocksOf, type Resource, refersTo, type Stack, type Values } from '../stack.ts'
import type { Rule } from './rule.ts'

type Opening = { address: string; values: Values }

/** Rules of security groups stand as resources of their own, or inside the group. */
const openingsOf = (stack: Stack, direction: 'ingress' | 'egress'): Opening[] => [
  ...stack.of(`aws_vpc_security_group_${direction}_rule`),
  ...stack.of('aws_security_group_rule').filter(({ values }) => values.type === direction),
  ...stack
    .of('aws_security_group', 'aws_default_security_group')
    .flatMap(({ address, values }) =>
      blocksOf(values[direction]).map((block) => ({ address, values: block })),
    ),
]

const rangesOf = ({ values }: Opening): string[] =>
  [values.cidr_ipv4, values.cidr_ipv6, values.cidr_blocks, values.ipv6_cidr_blocks]
    .flat()
    .filter((range) => range !== undefined)
    .map(String)
const isAnywhere = (opening: Opening) => rangesOf(opening).some((range) => /\/0$/.test(range))
const isEveryPort = ({ values }: Opening) =>
  ['-1', 'all'].includes(String(values.ip_protocol ?? values.protocol)) ||
  (Number(values.from_port) <= 1024 && Number(values.to_port) >= 65_535)

const ingress: Rule = {
  name: 'network/ingress',
  says: 'nothing is let in from anywhere',
  check: (stack) =>
    openingsOf(stack, 'ingress')
      .filter(isAnywhere)
      .map(({ address }) => ({
        address,
        problem: 'lets the whole internet in: name the networks that you know',
      })),
  mutants: [
    {
      says: 'port 443 for everybody',
      of: 'prod, load balancer',
      change: (json) =>
        add(json, 'aws_vpc_security_group_ingress_rule', 'open', {
          cidr_ipv4: '0.0.0.0/0',
          from_port: 443,
          to_port: 443,
          ip_protocol: 'tcp',
          description: 'everybody',
        }),
    },
    {
      says: 'IPv6 for everybody',
      change: (json) =>
        add(json, 'aws_vpc_security_group_ingress_rule', 'open', {
          cidr_ipv6: '::/0',
          from_port: 443,
          to_port: 443,
          ip_protocol: 'tcp',
          description: 'everybody',
        }),
    },
  ],
}

/** Tasks are called by nobody; what they say, they say themselves. */
const noIngressForTasks: Rule = {
  name: 'network/noIngressForTasks',
  says: 'nothing is let in to tasks; to the controller only from the load balancer that was asked for',
  check: (stack) => {
    const doors = groupsOf(
      stack,
      ...stack
        .of('aws_lb', 'aws_vpc_endpoint')
        .map(({ values }) => values.security_groups ?? values.security_group_ids),
    )
    return openingsOf(stack, 'ingress')
      .filter(({ values, address }) => {
        const group = stack
          .of('aws_security_group')
          .find((one) => one.address === address || refersTo(values.security_group_id, one))
        if (group !== undefined && doors.includes(group)) return false
        return !groupsOf(stack, values.referenced_security_group_id).some((from) =>
          isOfLoadBalancer(stack, from),
        )
      })
      .filter(({ values }) => !rangesOf({ address: '', values }).some((range) => /\/0$/.test(range)))
      .map(({ address }) => ({
        address,
        problem:
          'lets somebody in to tasks: they need no ingress, and the controller only that of its load balancer',
      }))
  },
  mutants: [
    {
      says: 'the office may reach the tasks',
      change: (json) =>
        add(json, 'aws_vpc_security_group_ingress_rule', 'office', {
          security_group_id: `\${aws_security_group.${Object.keys(json.resource?.aws_security_group ?? {}).find((id) => /media|worker|task/.test(id))}.id}`,
          cidr_ipv4: '192.0.2.0/24',
          from_port: 22,
          to_port: 22,
          ip_protocol: 'tcp',
          description: 'office',
        }),
    },
  ],
}

/** The one thing that the internet may come in by. */
const onePortForPeers: Rule = {
  name: 'network/onePortForPeers',
  says: 'peers come in by one TCP port, to tasks that seed and to nothing else',
  check: (stack) =>
    openingsOf(stack, 'ingress')
      .filter((opening) => /seeding/.test(opening.address) && isAnywhere(opening))
      .filter(
        ({ values }) =>
          values.ip_protocol !== 'tcp' ||
          values.from_port !== values.to_port ||
          groupsOf(stack, values.security_group_id).some(({ address }) => !/seeding/.test(address)),
      )
      .map(({ address }) => ({
        address,
        problem: 'lets in more than peers by their port: one TCP port, to the group seeding',
      })),
  mutants: [
    {
      says: 'every port',
      of: 'dev, seeding',
      change: (json) => put(json, 'aws_vpc_security_group_ingress_rule', 'to_port', 65_535),
    },
    {
      says: 'every protocol',
      of: 'dev, seeding',
      change: (json) => put(json, 'aws_vpc_security_group_ingress_rule', 'ip_protocol', '-1'),
    },
    {
      says: 'to tasks that read uploads',
      of: 'dev, seeding',
      change: (json) =>
        put(
          json,
          'aws_vpc_security_group_ingress_rule',
          'security_group_id',
          `\${aws_security_group.${Object.keys(json.resource?.aws_security_group ?? {}).find((id) => /media/.test(id))}.id}`,
        ),
    },
  ],
}

const groupsOf = (stack: Stack, ...values: unknown[]): Resource[] =>
  stack.of('aws_security_group').filter((group) => values.some((value) => refersTo(value, group)))

const isOfLoadBalancer = (stack: Stack, group: Resource): boolean =>
  stack.of('aws_lb').some(({ values }) => refersTo(values.security_groups, group))

const egress: Rule = {
  name: 'network/egress',
  says: 'nothing may speak to every port of the whole internet',
  check: (stack) =>
    openingsOf(stack, 'egress')
      .filter((opening) => isAnywhere(opening) && isEveryPort(opening))
      .map(({ address }) => ({
        address,
        problem: 'may reach every port everywhere: port 443, or what it needs',
      })),
  mutants: [
    {
      says: 'every protocol, everywhere',
      change: (json) =>
        add(json, 'aws_vpc_security_group_egress_rule', 'open', {
          cidr_ipv4: '0.0.0.0/0',
          ip_protocol: '-1',
          description: 'everything',
        }),
    },
    {
      says: 'every port of IPv6, everywhere',
      change: (json) =>
        add(json, 'aws_vpc_security_group_egress_rule', 'open', {
          cidr_ipv6: '::/0',
          from_port: 0,
          to_port: 65_535,
          ip_protocol: 'tcp',
          description: 'everything',
        }),
    },
  ],
}

const described: Rule = {
  name: 'network/described',
  says: 'every rule of a security group says what it is for',
  check: (stack) =>
    [...openingsOf(stack, 'ingress'), ...openingsOf(stack, 'egress')]
      .filter(({ values }) => String(values.description ?? '').length === 0)
      .map(({ address }) => ({ address, problem: 'has no description: say who speaks to whom, and why' })),
  mutants: [
    {
      says: 'no description',
      change: (json) => set(json, 'aws_vpc_security_group_egress_rule', 'description', undefined),
    },
  ],
}

const unusedDefault: Rule = {
  name: 'network/unusedDefault',
  says: 'what comes with a network and nobody asked for lets nothing through',
  check: (stack) =>
    stack
      .of('aws_vpc')
      .filter(
        (vpc) =>
          !stack
            .of('aws_default_security_group')
            .some(
              ({ values }) =>
                refersTo(values.vpc_id, vpc) &&
                blocksOf(values.ingress).length + blocksOf(values.egress).length === 0,
            ),
      )
      .map(({ address }) => ({
        address,
        problem: 'has a default security group with rules: an aws_default_security_group without any',
      })),
  mutants: [
    { says: 'it is left as it comes', change: (json) => remove(json, 'aws_default_security_group') },
    {
      says: 'it lets everything out',
      change: (json) =>
        put(json, 'aws_default_security_group', 'egress', [
          {
            cidr_blocks: ['10.0.0.0/8'],
            protocol: 'tcp',
            from_port: 443,
            to_port: 443,
            description: 'inside',
          },
        ]),
    },
  ],
}

const askedAddresses: Rule = {
  name: 'network/askedAddresses',
  says: 'nothing gets a public address without asking for one',
  check: (stack) =>
    stack
      .of('aws_subnet')
      .filter(({ values }) => values.map_public_ip_on_launch === true)
      .map(({ address }) => ({
        address,
        problem: 'gives everything a public address: map_public_ip_on_launch = false',
      })),
  mutants: [
    { says: 'everything', change: (json) => put(json, 'aws_subnet', 'map_public_ip_on_launch', true) },
  ],
}

const httpsOnly: Rule = {
  name: 'network/httpsOnly',
  says: 'uploads and records leave over HTTPS and nothing else',
  check: (stack) => {
    const quiet = stack
      .of('aws_security_group')
      .filter((group) => isOfCode(stack, group) && !/internet|seeding/.test(group.address))
    return openingsOf(stack, 'egress')
      .filter(({ values }) => quiet.some((group) => refersTo(values.security_group_id, group)))
      .filter(
        ({ values }) => values.from_port !== 443 || values.to_port !== 443 || values.ip_protocol !== 'tcp',
      )
      .map(({ address }) => ({ address, problem: 'lets more out than HTTPS: tcp 443 only' }))
  },
  mutants: [
    {
      says: 'any port of the network itself',
      change: (json) => set(json, 'aws_vpc_security_group_egress_rule', 'to_port', 8443),
    },
  ],
}

/** Groups of tasks and services; those of doors (load balancer, endpoints) are others. */
const isOfCode = (stack: Stack, group: Resource): boolean =>
  !stack
    .of('aws_lb', 'aws_vpc_endpoint')
    .some(({ values }) => refersTo([values.security_groups, values.security_group_ids], group))

export const networkRules: Rule[] = [
  ingress,
  noIngressForTasks,
  onePortForPeers,
  egress,
  described,
  unusedDefault,
  askedAddresses,
  httpsOnly,
]
