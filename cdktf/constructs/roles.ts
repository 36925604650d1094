import { IamRole } from '@cdktf/provider-aws/lib/iam-role/index.js'
import { IamRolePolicy } from '@cdktf/provider-aws/lib/iam-role-policy/index.js'
import { Construct } from 'constructs'
import { awsActions, modelActions, type Permission, type Target } from '../../schemas/permissions.ts'
import {
  accessCheckFile,
  jobsTableShape,
  type ResourceNames,
  transcriptionPrefix,
  type WorkerGroup,
  workPrefix,
} from '../../schemas/resources.ts'
import type { Config } from '../schema.ts'
import type { Account } from './account.ts'
import type { Buckets } from './buckets.ts'
import type { Cluster } from './cluster.ts'
import type { Images } from './images.ts'
import type { Logs } from './logs.ts'
import { mayAssume, policyDocument, type Statement } from './policy.ts'
import type { Queues } from './queues.ts'
import type { Tables } from './tables.ts'

export type RoleParts = {
  account: Account
  names: ResourceNames
  buckets: Buckets
  queues: Queues
  tables: Tables
  images: Images
  logs: Logs
  cluster: Cluster
}

/**
 * Two kinds of roles. An execution role is what ECS uses to start a task: it pulls the image, opens the log and reads
 * secrets, and the code inside never has it. A task role is what that code may do, as `schemas/permissions.ts` lists it.
 */
export class Roles extends Construct {
  readonly controllerExecution: IamRole
  readonly workerExecution: IamRole
  readonly controller: IamRole
  /** Of a group that there is not, none. */
  readonly workers: PerWorkerGroup<IamRole>
  /** What Amazon Transcribe reads audio and writes transcripts with. */
  readonly transcribe: IamRole
  /** A task that starts before its role may do anything fails; what starts tasks waits for these. */
  readonly policies: readonly IamRolePolicy[]

  constructor(scope: Construct, id: string, config: Config, parts: RoleParts) {
    super(scope, id)
    const { account, cluster, images, logs } = parts
    const made: IamRolePolicy[] = []
    const make = (
      role: string,
      description: string,
      statements: readonly Statement[],
      service: 'ecs-tasks' | 'transcribe' = 'ecs-tasks',
    ): IamRole => {
      const iamRole = new IamRole(this, role, {
        // Roles belong to the account and not to a region, where the same installation may be twice.
        name: `${config.installation}-${config.region}-${role}`,
        description,
        assumeRolePolicy: mayAssume(
          `${service}.amazonaws.com`,
          account.id,
          account.arn(servicePart[service], '*'),
        ),
      })
      made.push(
        new IamRolePolicy(this, `${role}-policy`, {
          name: role,
          role: iamRole.id,
          policy: policyDocument(statements),
        }),
      )
      return iamRole
    }

    this.controllerExecution = make('controller-execution', 'Starts controllers', [
      ...startsTasks(images.controller.repository.arn, logs.controller.arn),
      ...readsSecret(config.loadBalancer?.apiTokenSecretArn),
    ])
    this.workerExecution = make(
      'worker-execution',
      'Starts workers',
      startsTasks(images.worker.repository.arn, logs.tasks.arn),
    )
    this.transcribe = make(
      'transcribe',
      'Amazon Transcribe, for the jobs of this installation',
      transcribes(parts.buckets),
      'transcribe',
    )
    const resources = { ...resourcesOf(config, parts), transcribeRole: [this.transcribe.arn] }
    const granted = (permissions: readonly Permission[], roleArns: readonly string[] = []) =>
      permissions.map((permission, index) =>
        statementOf(permission, index, { ...resources, taskRoles: roleArns }, cluster.cluster.arn),
      )
    this.workers = {
      media: make('media', 'Workers that read uploads and write outputs', [
        ...granted(awsActions.media),
        // A statement without resources is none that IAM takes.
        ...(config.bedrockModelArns.length > 0 ? granted(modelActions) : []),
      ]),
      internet: make(
        'internet',
        'Workers that reach the internet and write outputs',
        granted(awsActions.internet),
      ),
      ...(config.seedingPort === undefined
        ? {}
        : { seeding: make('seeding', 'Workers that seed torrents', granted(awsActions.seeding)) }),
    }
    this.controller = make('controller', 'Controllers of the job operator', [
      ...granted(awsActions.controller, [
        this.workerExecution.arn,
        ...Object.values(this.workers).map(({ arn }) => arn),
        ...config.containerRoleArns,
      ]),
      neverItself(account, parts.names),
      ecsExec,
    ])
    this.policies = made
  }
}

/** Something for each group of workers; the one that seeds is there only where a port was chosen. */
export type PerWorkerGroup<Part> = Readonly<
  Record<Exclude<WorkerGroup, 'seeding'>, Part> & Partial<Record<'seeding', Part>>
>

const startsTasks = (repositoryArn: string, logGroupArn: string): Statement[] => [
  {
    // AWS has no narrower resource for it: the token is for the registry as a whole.
    sid: 'LogInToRegistry',
    actions: ['ecr:GetAuthorizationToken'],
    resources: ['*'],
  },
  {
    sid: 'PullImage',
    actions: ['ecr:BatchCheckLayerAvailability', 'ecr:BatchGetImage', 'ecr:GetDownloadUrlForLayer'],
    resources: [repositoryArn],
  },
  {
    sid: 'WriteLog',
    actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
    resources: [`${logGroupArn}:*`],
  },
]

/** In ARNs, which services have other names in than as principals. */
const servicePart = { 'ecs-tasks': 'ecs', transcribe: 'transcribe' } as const

/** Audio is an upload, or was taken out of one and lies beside the outputs for a while. */
const transcribes = ({ uploads, outputs }: Buckets): Statement[] => [
  {
    sid: 'ReadAudio',
    actions: ['s3:GetObject'],
    resources: [`${uploads.arn}/*`, `${outputs.arn}/*`],
  },
  { sid: 'WriteTranscript', actions: ['s3:PutObject'], resources: [`${outputs.arn}/*`] },
]

const readsSecret = (secretArn: string | undefined): Statement[] =>
  secretArn === undefined
    ? []
    : [{ sid: 'ReadToken', actions: ['secretsmanager:GetSecretValue'], resources: [secretArn] }]

/** The status page is reached through ECS Exec. Its channels have no ARNs that could be named (ECS developer guide, ECS Exec). */
const ecsExec: Statement = {
  sid: 'EcsExec',
  actions: [
    'ssmmessages:CreateControlChannel',
    'ssmmessages:CreateDataChannel',
    'ssmmessages:OpenControlChannel',
    'ssmmessages:OpenDataChannel',
  ],
  resources: ['*'],
}

/** Its family begins like those that `container` jobs may run. It could not pass the controller's role anyway; this says so. */
const neverItself = (account: Account, names: ResourceNames): Statement => ({
  sid: 'NeverAController',
  effect: 'Deny',
  actions: ['ecs:RunTask'],
  resources: [account.arn('ecs', `task-definition/${names.controllerFamily}:*`)],
})

type Resources = Readonly<Record<Target, readonly string[]>>

const resourcesOf = (
  config: Config,
  { account, names, buckets, queues, tables, logs }: RoleParts,
): Resources => ({
  jobsTable: [tables.jobs.arn],
  jobsTableIndexes: Object.values(jobsTableShape.indexes).map(
    ({ name }) => `${tables.jobs.arn}/index/${name}`,
  ),
  controlTable: [tables.control.arn],
  jobsQueue: [queues.jobs.arn],
  jobsDlq: [queues.jobsDlq.arn],
  taskEventsQueue: [queues.taskEvents.arn],
  uploadsBucket: [buckets.uploads.arn],
  uploadsObjects: [`${buckets.uploads.arn}/*`],
  outputsBucket: [buckets.outputs.arn],
  outputsObjects: [`${buckets.outputs.arn}/*`],
  outputsWork: [`${buckets.outputs.arn}/${workPrefix}*`],
  accessChecks: [`${buckets.outputs.arn}/*/${accessCheckFile}`],
  taskDefinitions: runnableFamilies(config, names).map((family) =>
    account.arn('ecs', `task-definition/${family}:*`),
  ),
  repositories: [account.arn('ecr', 'repository/*')],
  tasks: [account.arn('ecs', `task/${names.cluster}/*`)],
  taskRoles: [],
  transcriptions: [
    account.arn('transcribe', `transcription-job/${transcriptionPrefix(config.installation)}*`),
  ],
  transcribeRole: [],
  models: config.bedrockModelArns,
  logStreams: [`${logs.tasks.arn}:log-stream:*`],
  everything: ['*'], // The permission itself says why it cannot be less.
})

/** Ours, and those of `container` jobs: by default whatever is named after this installation. */
const runnableFamilies = (config: Config, names: ResourceNames): string[] => [
  names.workerFamily,
  names.internetFamily,
  ...(config.seedingPort === undefined ? [] : [names.seedingFamily]),
  ...(config.containerFamilies ?? [`${config.installation}-*`]),
]

function statementOf(
  { on, actions, inCluster, passedTo, attributes, returnValues }: Permission,
  index: number,
  resources: Resources,
  clusterArn: string,
): Statement {
  const conditions = {
    ...(inCluster && { ArnEquals: { 'ecs:cluster': clusterArn } }),
    ...(passedTo !== undefined && { StringEquals: { 'iam:PassedToService': passedTo } }),
    ...(attributes !== undefined && { 'ForAllValues:StringEquals': { 'dynamodb:Attributes': attributes } }),
    ...(returnValues !== undefined && { StringEqualsIfExists: { 'dynamodb:ReturnValues': returnValues } }),
  }
  return {
    sid: `${on.charAt(0).toUpperCase()}${on.slice(1)}${index}`,
    actions,
    resources: resources[on],
    ...(Object.keys(conditions).length > 0 && { conditions }),
  }
}
