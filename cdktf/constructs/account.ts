import { DataAwsCallerIdentity } from '@cdktf/provider-aws/lib/data-aws-caller-identity/index.js'
import { DataAwsPartition } from '@cdktf/provider-aws/lib/data-aws-partition/index.js'
import { Construct } from 'constructs'

/** Where this is deployed to: known to Terraform when it runs, not here. */
export class Account extends Construct {
  readonly id: string
  readonly partition: string
  readonly region: string

  constructor(scope: Construct, id: string, region: string) {
    super(scope, id)
    this.id = new DataAwsCallerIdentity(this, 'caller').accountId
    this.partition = new DataAwsPartition(this, 'partition').partition
    this.region = region
  }

  /** The ARN of something in this account and region. */
  arn(service: string, resource: string): string {
    return `arn:${this.partition}:${service}:${this.region}:${this.id}:${resource}`
  }
}
