import { type DynamoDBDocumentClient, GetCommand, PutCommand } from '@aws-sdk/lib-dynamodb'
import { controlTableShape } from '../../schemas/resources.ts'
import { type Status, statusItemId, statusSchema } from '../../schemas/status.ts'

export type ControlStore = ReturnType<typeof createControlStore>

/** The controller's own items: what the leader publishes, and every controller reads. */
export function createControlStore(dynamo: Pick<DynamoDBDocumentClient, 'send'>, table: string) {
  const key = { [controlTableShape.key]: statusItemId }
  return {
    /** Undefined as long as nobody has published one, or only another version has. It may be a moment old. */
    async readStatus(): Promise<Status | undefined> {
      const { Item: item } = await dynamo.send(new GetCommand({ TableName: table, Key: key }))
      return statusSchema.safeParse(item).data
    },

    /** The last one to write wins: the status of a former leader is overwritten within seconds. */
    async writeStatus(status: Status): Promise<void> {
      await dynamo.send(new PutCommand({ TableName: table, Item: { ...status, ...key } }))
    },
  }
}
