/** What breaks a rule and is right all the same. One that no stack needs any more fails the suite. */
export type Exception = {
  /** Name of the rule. */
  rule: string
  /** Where. */
  address: RegExp
  /** Which of its findings. */
  problem: RegExp
  /** In which stacks, by name; absent: in all. */
  stacks?: RegExp
  reason: string
}

const controllerRole = /^aws_iam_role_policy\.roles_controller-policy_/
const executionRoles = /^aws_iam_role_policy\.roles_(controller|worker)-execution-policy_/

export const exceptions: readonly Exception[] = [
  {
    rule: 'iam/resources',
    address: executionRoles,
    problem: /ecr:GetAuthorizationToken/,
    reason:
      'The token is one for the whole registry, and IAM knows no narrower resource. Pulling names the repository.',
  },
  {
    rule: 'iam/resources',
    address: controllerRole,
    problem: /ecs:ListTasks/,
    reason:
      'Its only resource is the container instance, which Fargate does not have; a condition names the cluster.',
  },
  {
    rule: 'iam/resources',
    address: controllerRole,
    problem: /ecs:DescribeTaskDefinition/,
    reason:
      'IAM knows no resource for it. What is secret comes by `secrets`, so a task definition holds none.',
  },
  {
    rule: 'iam/resources',
    address: controllerRole,
    problem: /ecr:DescribeImages/,
    reason:
      'Images of `container` jobs may lie in any repository of the account; it reads tags and digests, and no layer.',
  },
  {
    rule: 'iam/resources',
    address: controllerRole,
    problem: /ecr:DescribePullThroughCacheRules/,
    reason: 'IAM knows no resource for it. It tells from where repositories of the account are filled.',
  },
  {
    rule: 'iam/resources',
    address: controllerRole,
    problem: /transcribe:StartTranscriptionJob/,
    reason:
      'IAM knows no resource for it. The job reads and writes with a role that reaches our buckets only.',
  },
  {
    rule: 'iam/resources',
    address: controllerRole,
    problem: /ssmmessages:(Create|Open)(Control|Data)Channel/,
    reason: 'ECS Exec, the way to the private status page: its agent opens channels, which have no ARN.',
  },
  {
    rule: 'ecs/publicAddress',
    address: /^aws_ecs_service\./,
    problem: /public address/,
    stacks: /public|existing network, public/,
    reason: 'Without endpoints or NAT there is no other way to AWS; its security group lets nothing in.',
  },
  {
    rule: 'network/egress',
    address: /^aws_vpc_security_group_egress_rule\.security-groups_internet-to-any_/,
    problem: /every port/,
    stacks: /torrents/,
    reason:
      'A torrent speaks on the port that its peer chose: INTERNET_PORTS=any, which somebody has to ask for.',
  },
  {
    rule: 'network/egress',
    address: /^aws_vpc_security_group_egress_rule\.security-groups_seeding-to-peers_/,
    problem: /every port/,
    stacks: /seeding/,
    reason:
      'Peers and trackers listen on ports that they chose: SEEDING_PORT, which somebody has to ask for.',
  },
  {
    rule: 'network/ingress',
    address: /^aws_vpc_security_group_ingress_rule\.security-groups_seeding-from-peers_/,
    problem: /lets the whole internet in/,
    stacks: /seeding/,
    reason: 'Peers may be anybody: one port of tasks that seed, and only where SEEDING_PORT asks for it.',
  },
]
