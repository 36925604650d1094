import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DynamoDBClient } from '@aws-sdk/client-dynamodb'
import {
  DeleteCommand,
  DynamoDBDocumentClient,
  GetCommand,
  PutCommand,
  UpdateCommand,
} from '@aws-sdk/lib-dynamodb'
import { readNumber } from '../../controller/clients.ts'
import { createJobStore, type JobStore } from '../../controller/store/jobs.ts'
import type { Item } from '../../controller/store/stored.ts'
import { localCredentials } from '../../local/credentials.ts'
import { createDynamoDb } from '../../local/dynamodb.ts'
import { provisionTables } from '../../local/provision/tables.ts'
import { readConfiguration } from '../../schemas/read-configuration.ts'

export type TestTable = {
  jobs: JobStore
  documents: DynamoDBDocumentClient
  /** Puts a record like a user does, over whatever is there. */
  put(item: Item): Promise<void>
  /** The record as it is; undefined when there is none. */
  read(jobId: string): Promise<Item | undefined>
  /** A raw edit: SET path = value, and nothing else. */
  set(jobId: string, path: string, value: unknown): Promise<void>
  remove(jobId: string): Promise<void>
  close(): Promise<void>
}

/** The jobs table with its indexes, in a DynamoDB of this process behind a free port, spoken to by the real SDK. */
export async function startTestTable(): Promise<TestTable> {
  const directory = await mkdtemp(join(tmpdir(), 'table-'))
  const dynamo = createDynamoDb(directory)
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    dynamo.handle(request, Buffer.concat(parts), response)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const dynamodb = new DynamoDBClient({
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    region: 'us-east-1',
    credentials: localCredentials,
    maxAttempts: 1,
  })
  const read = readConfiguration({}, {})
  if (!read.ok) throw new Error('The defaults are no configuration')
  await provisionTables(dynamodb, read.configuration)
  const TableName = read.configuration.JOBS_TABLE
  const documents = DynamoDBDocumentClient.from(dynamodb, {
    marshallOptions: { removeUndefinedValues: true },
    unmarshallOptions: { wrapNumbers: readNumber },
  })

  return {
    jobs: createJobStore(documents, TableName),
    documents,
    async put(item) {
      await documents.send(new PutCommand({ TableName, Item: item }))
    },
    async read(jobId) {
      const { Item: item } = await documents.send(
        new GetCommand({ TableName, Key: { jobId }, ConsistentRead: true }),
      )
      return item
    },
    async set(jobId, path, value) {
      const names = path.split('.')
      await documents.send(
        new UpdateCommand({
          TableName,
          Key: { jobId },
          UpdateExpression: `SET ${names.map((_, index) => `#n${index}`).join('.')} = :value`,
          ExpressionAttributeNames: Object.fromEntries(names.map((name, index) => [`#n${index}`, name])),
          ExpressionAttributeValues: { ':value': value },
        }),
      )
    },
    async remove(jobId) {
      await documents.send(new DeleteCommand({ TableName, Key: { jobId } }))
    },
    async close() {
      dynamodb.destroy()
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
      await dynamo.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
