import { z } from 'zod'
import { configurationGroups, configurationSchema } from '../schemas/configuration.ts'
import { architectures } from '../schemas/fargate.ts'
import { installationPattern } from '../schemas/limits.ts'
import { modelArnPattern } from '../schemas/models.ts'
import { privateSourcesText } from '../schemas/private-sources.ts'
import type { Trigger } from '../schemas/triggers.ts'

/** What the infrastructure sets itself, because it makes the things. Everything else of the controller may be chosen. */
const setByInfrastructure = [
  'HOST',
  'PORT',
  'API_TOKEN',
  'API_READ_TOKEN',
  'SUBNETS',
  'SECURITY_GROUPS',
  'ASSIGN_PUBLIC_IP',
  'INTERNET_SUBNETS',
  'INTERNET_SECURITY_GROUPS',
  'INTERNET_ASSIGN_PUBLIC_IP',
  'SEEDING_SUBNETS',
  'SEEDING_SECURITY_GROUPS',
  'SEEDING_ASSIGN_PUBLIC_IP',
  'TRANSCRIBE_ROLE_ARN',
  'EMF_METRICS',
] as const

export type ControllerSetting = Exclude<
  keyof typeof configurationGroups.controller,
  (typeof setByInfrastructure)[number]
>

const chosenSettings = Object.keys(configurationGroups.controller).filter(
  (name): name is ControllerSetting => !setByInfrastructure.some((own) => own === name),
)

const matching = (pattern: RegExp, rule: string) => z.string().regex(pattern, { error: `must be ${rule}` })
const whole = (min: number, max: number) =>
  z.coerce
    .number({ error: `must be a whole number from ${min} to ${max}` })
    .int({ error: `must be a whole number from ${min} to ${max}` })
    .min(min, { error: `must be at least ${min}` })
    .max(max, { error: `must be at most ${max}` })
const oneOf = <const T extends readonly [string, ...string[]]>(values: T) =>
  z.enum(values, { error: `must be one of: ${values.join(', ')}` })
const flag = z.preprocess(
  (value) => (value === 'true' ? true : value === 'false' ? false : value),
  z.boolean({ error: 'must be true or false' }),
)
const bucket = matching(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'an S3 bucket name')
const subnet = matching(/^subnet-[0-9a-f]{8,17}$/, 'a subnet id, like subnet-0123456789abcdef0')
const arn = (service: string, resource: string, what: string) =>
  matching(new RegExp(`^arn:aws[a-z-]*:${service}:[a-z0-9-]*:\\d{12}:${resource}`), `the ARN of ${what}`)
const cidr = matching(/^(\d{1,3}\.){3}\d{1,3}\/\d{1,2}$/, 'a range of IPv4 addresses, like 10.40.0.0/16')

/** /20 to /16: room for a few thousand tasks in every zone, and no more than a VPC may have. */
const vpcCidr = cidr
  .refine((range) => Number(range.split('/')[1]) >= 16 && Number(range.split('/')[1]) <= 20, {
    error: 'must be from /16 to /20',
  })
  .default('10.40.0.0/16')
const zones = whole(2, 3).default(2)

const networkSchema = z.discriminatedUnion(
  'profile',
  [
    z.strictObject({ profile: z.literal('public'), cidr: vpcCidr, zones }),
    z.strictObject({
      profile: z.literal('endpoints'),
      cidr: vpcCidr,
      zones,
      /** Public subnets for tasks of the group `internet`. Without them nothing leaves AWS, and kinds that need the internet fail. */
      internet: flag.default(false),
    }),
    z.strictObject({
      profile: z.literal('nat'),
      cidr: vpcCidr,
      zones,
      /** one: cheaper, and the zone that it is in takes all others with it. */
      gateways: oneOf(['one', 'per-zone']).default('one'),
    }),
    z.strictObject({
      profile: z.literal('existing'),
      vpcId: matching(/^vpc-[0-9a-f]{8,17}$/, 'a VPC id, like vpc-0123456789abcdef0'),
      subnetIds: z.array(subnet).refine((ids) => ids.length >= 1, { error: 'must name at least one subnet' }),
      assignPublicIp: flag.default(false),
      /** Absent: like the others. */
      internetSubnetIds: z.array(subnet).optional(),
      internetAssignPublicIp: flag.optional(),
    }),
  ],
  { error: 'must be one of: public, endpoints, nat, existing' },
)

const loadBalancerSchema = z.strictObject({
  certificateArn: arn('acm', 'certificate/', 'a certificate in AWS Certificate Manager'),
  /** A secret that holds nothing but the token. */
  apiTokenSecretArn: arn('secretsmanager', 'secret:', 'a secret in AWS Secrets Manager'),
  allowedCidrs: z
    .array(
      cidr.refine((range) => !range.endsWith('/0'), {
        error: 'must not be the whole internet; name the networks that you know',
      }),
    )
    .refine((ranges) => ranges.length >= 1, { error: 'must name at least one range of addresses' }),
  internal: flag.default(false),
  /** Only for the profile `existing`: which subnets it stands in. */
  subnetIds: z.array(subnet).optional(),
})

/** What CloudWatch Logs takes (API reference, PutRetentionPolicy). */
const logRetentionDays = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827]

const settingsSchema = z.strictObject(
  Object.fromEntries(chosenSettings.map((name) => [name, z.string().optional()])) as Record<
    ControllerSetting,
    z.ZodOptional<z.ZodString>
  >,
)

export const configSchema = z
  .strictObject({
    environment: z.string(),
    installation: matching(installationPattern, '1 to 16 lower-case letters, digits and -'),
    region: matching(/^[a-z]{2}(-[a-z]+)+-\d$/, 'a region, like eu-central-1').default('us-east-1'),
    /** The only account that this may be deployed to. Absent: the one of the credentials. */
    accountId: matching(/^\d{12}$/, 'an account id of 12 digits').optional(),
    architecture: oneOf(architectures).default('arm64'),
    network: networkSchema,
    /** What tasks of the group `internet` may reach: web is ports 80 and 443, any is every port (torrents need that). */
    internetPorts: oneOf(['web', 'any']).default('web'),
    /** Addresses that are not public and that jobs may be given as sources, separated by commas. */
    privateSources: privateSourcesText,
    /** The one port that the internet may come in by, to tasks of kind `seed` only. Absent: there are no such tasks, and nothing is open. */
    seedingPort: whole(1024, 65_535).optional(),
    /** Buckets that exist already. They are read and written, but nothing about them is changed. */
    existingBuckets: z.strictObject({ uploads: bucket.optional(), outputs: bucket.optional() }).default({}),
    /** Once enabled it can only be suspended. */
    versioning: oneOf(['disabled', 'enabled', 'suspended']).default('disabled'),
    uploadsExpireDays: whole(1, 3650).optional(),
    outputsExpireDays: whole(1, 3650).optional(),
    /** true: tables and buckets refuse to be deleted. */
    protectData: flag.default(true),
    logRetentionDays: whole(1, 1827)
      .refine((days) => logRetentionDays.includes(days), {
        error: `must be one of: ${logRetentionDays.join(', ')}`,
      })
      .default(30),
    controllers: z
      .strictObject({
        count: whole(1, 4).default(2),
        cpu: whole(256, 4096).default(256),
        memoryMiB: whole(512, 8192).default(512),
      })
      .prefault({}),
    /** Settings of the controller, as docs/configuration.md lists them. */
    settings: settingsSchema.prefault({}),
    /** Task definitions that `container` jobs may run, by family; * stands for any end. Absent: those named after this installation. */
    containerFamilies: z
      .array(matching(/^[A-Za-z0-9_-]{1,254}\*?$/, 'a task definition family, or its beginning and *'))
      .optional(),
    /** Roles that those task definitions have. Absent: a `container` job runs without any. */
    containerRoleArns: z.array(arn('iam', 'role/', 'a role')).default([]),
    /** Models of Amazon Bedrock that summaries may be written by. Absent: none, and no permission to ask any. */
    bedrockModelArns: z
      .array(matching(modelArnPattern, 'the ARN of a model or an inference profile, without wildcards'))
      .default([]),
    alarmEmail: z.email({ error: 'must be an e-mail address' }).optional(),
    monthlyBudgetUsd: whole(1, 1_000_000).optional(),
    oldestPendingMinutes: whole(5, 10_080).default(60),
    loadBalancer: loadBalancerSchema.optional(),
    /** Where Terraform keeps its state. Absent: in this folder. */
    state: z.strictObject({ bucket, key: z.string().min(1), region: z.string().min(1) }).optional(),
  })
  .superRefine((config, context) => {
    for (const issue of settingIssues(config.settings)) context.addIssue(issue)
    const { loadBalancer, network } = config
    if (config.seedingPort !== undefined && network.profile === 'endpoints' && !network.internet)
      context.addIssue({
        code: 'custom',
        path: ['seedingPort'],
        message: 'needs a network with public subnets: NETWORK_INTERNET=true, or another NETWORK',
      })
    if (loadBalancer === undefined) return
    if (network.profile === 'existing' && (loadBalancer.subnetIds ?? []).length < 2)
      context.addIssue({
        code: 'custom',
        path: ['loadBalancer', 'subnetIds'],
        message: 'must name two subnets in different zones, because the network is one that exists',
      })
    if (network.profile === 'endpoints' && !network.internet && !loadBalancer.internal)
      context.addIssue({
        code: 'custom',
        path: ['loadBalancer', 'internal'],
        message: 'must be true in a network without public subnets',
      })
  })

export type Config = z.infer<typeof configSchema>
export type Network = Config['network']
/** What an environment may preset. */
export type Preset = Omit<z.input<typeof configSchema>, 'environment' | 'installation'> & {
  installation?: string
}

/** The rules that the controller will have, read as it reads them. */
export const triggersOf = ({ UPLOAD_TRIGGERS: rules }: Config['settings']): readonly Trigger[] =>
  configurationSchema.shape.UPLOAD_TRIGGERS.parse(rules)

/** Settings of the controller are checked by its own schema, so that a wrong one fails here and not in a task that never starts. */
function settingIssues(settings: Config['settings']) {
  const given = Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined))
  const checked = configurationSchema.safeParse(given)
  return checked.success
    ? []
    : checked.error.issues.map((issue) => ({ ...issue, path: ['settings', ...issue.path] }))
}
