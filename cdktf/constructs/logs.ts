import { CloudwatchLogGroup } from '@cdktf/provider-aws/lib/cloudwatch-log-group/index.js'
import { Construct } from 'constructs'
import type { ResourceNames } from '../../schemas/resources.ts'

/** What tasks and controllers say, for as long as the environment wants to know. */
export class Logs extends Construct {
  readonly tasks: CloudwatchLogGroup
  readonly controller: CloudwatchLogGroup

  constructor(scope: Construct, id: string, names: ResourceNames, retentionInDays: number) {
    super(scope, id)
    this.tasks = new CloudwatchLogGroup(this, 'tasks', { name: names.logGroup, retentionInDays })
    this.controller = new CloudwatchLogGroup(this, 'controller', {
      name: names.controllerLogGroup,
      retentionInDays,
    })
  }
}
