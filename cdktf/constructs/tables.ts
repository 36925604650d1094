import { DynamodbTable } from '@cdktf/provider-aws/lib/dynamodb-table/index.js'
import { Construct } from 'constructs'
import { controlTableShape, jobsTableShape, type ResourceNames } from '../../schemas/resources.ts'

/** The records, and what the controllers keep about themselves. */
export class Tables extends Construct {
  readonly jobs: DynamodbTable
  readonly control: DynamodbTable

  constructor(scope: Construct, id: string, names: ResourceNames, { protectData }: { protectData: boolean }) {
    super(scope, id)
    const indexes = Object.values(jobsTableShape.indexes)
    const common = {
      billingMode: 'PAY_PER_REQUEST',
      pointInTimeRecovery: { enabled: true },
      deletionProtectionEnabled: protectData,
      ...(protectData && { lifecycle: { preventDestroy: true } }),
    }
    this.jobs = new DynamodbTable(this, 'jobs', {
      ...common,
      name: names.jobsTable,
      hashKey: jobsTableShape.key,
      attribute: [
        { name: jobsTableShape.key, type: 'S' },
        ...indexes.flatMap(({ hash, range, rangeType }) => [
          { name: hash, type: 'S' },
          { name: range, type: rangeType },
        ]),
      ],
      globalSecondaryIndex: indexes.map(({ name, hash, range }) => ({
        name,
        hashKey: hash,
        rangeKey: range,
        projectionType: 'KEYS_ONLY',
      })),
      ttl: { attributeName: jobsTableShape.ttlAttribute, enabled: true },
    })
    this.control = new DynamodbTable(this, 'control', {
      ...common,
      name: names.controlTable,
      hashKey: controlTableShape.key,
      attribute: [{ name: controlTableShape.key, type: 'S' }],
    })
  }
}
