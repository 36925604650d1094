import { TerraformOutput } from 'cdktf'
import { Construct } from 'constructs'
import { controllerContainer, type ResourceNames } from '../../schemas/resources.ts'
import type { Config } from '../schema.ts'
import type { Alarms } from './alarms.ts'
import type { Buckets } from './buckets.ts'
import { statusPort } from './container.ts'
import type { Dashboard } from './dashboard.ts'
import type { Images } from './images.ts'
import type { LoadBalancer } from './load-balancer.ts'
import type { Logs } from './logs.ts'
import type { Network } from './network.ts'
import type { Queues } from './queues.ts'
import type { SecurityGroups } from './security-groups.ts'
import type { Tables } from './tables.ts'

export type OutputParts = {
  names: ResourceNames
  buckets: Buckets
  queues: Queues
  tables: Tables
  images: Images
  logs: Logs
  network: Network
  securityGroups: SecurityGroups
  alarms: Alarms
  dashboard: Dashboard
  loadBalancer: LoadBalancer | undefined
}

/** What a deployment tells people and scripts. The names are a contract: `terraform output -raw jobs_queue_url`. */
export class Outputs extends Construct {
  constructor(scope: Construct, id: string, config: Config, parts: OutputParts) {
    super(scope, id)
    for (const [name, value] of Object.entries(valuesOf(config, parts)))
      if (value !== undefined) new TerraformOutput(this, name, { value, staticId: true })
  }
}

const valuesOf = (config: Config, parts: OutputParts): Record<string, unknown> => {
  const { names, buckets, queues, tables, images, logs, network, securityGroups, alarms, dashboard } = parts
  return {
    region: config.region,
    installation: config.installation,
    jobs_queue_url: queues.jobs.url,
    jobs_queue_arn: queues.jobs.arn,
    jobs_dlq_url: queues.jobsDlq.url,
    jobs_dlq_arn: queues.jobsDlq.arn,
    task_events_queue_url: queues.taskEvents.url,
    task_events_queue_arn: queues.taskEvents.arn,
    jobs_table: tables.jobs.name,
    control_table: tables.control.name,
    uploads_bucket: buckets.uploads.name,
    outputs_bucket: buckets.outputs.name,
    cluster: names.cluster,
    controller_service: names.controllerFamily,
    controller_log_group: logs.controller.name,
    task_log_group: logs.tasks.name,
    controller_repository_url: images.controller.repository.repositoryUrl,
    worker_repository_url: images.worker.repository.repositoryUrl,
    controller_image_parameter: images.controller.parameter.name,
    worker_image_parameter: images.worker.parameter.name,
    controller_image: images.controller.reference,
    worker_image: images.worker.reference,
    task_subnet_ids: network.tasks.subnetIds,
    task_security_group_id: securityGroups.media.id,
    alarm_topic_arn: alarms.topic.arn,
    dashboard_url: dashboard.url,
    api_url: parts.loadBalancer && `https://${parts.loadBalancer.address}`,
    uploads_need: buckets.uploads.exists
      ? `Switch on Amazon EventBridge in the notifications of bucket ${buckets.uploads.name}; nothing here changes a bucket that exists.`
      : undefined,
    status_command: statusCommand(config.region, names),
    next_command: images.onceThere('npm run smoke', 'npm run images, then deploy once more'),
  }
}

/**
 * Forwards the status page of one controller to this machine. No `${}` of the shell in it: Terraform would take that for its own.
 */
const statusCommand = (region: string, { cluster, controllerFamily: service }: ResourceNames): string =>
  [
    `task=$(aws ecs list-tasks --region ${region} --cluster ${cluster} --service-name ${service} --query 'taskArns[0]' --output text)`,
    `runtime=$(aws ecs describe-tasks --region ${region} --cluster ${cluster} --tasks $task --query 'tasks[0].containers[?name==\`${controllerContainer}\`].runtimeId | [0]' --output text)`,
    `aws ssm start-session --region ${region} --target ecs:${cluster}_$(basename $task)_$runtime --document-name AWS-StartPortForwardingSession --parameters portNumber=${statusPort},localPortNumber=${statusPort}`,
  ].join(' && ')
