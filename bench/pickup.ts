import { PutCommand } from '@aws-sdk/lib-dynamodb'
import { useLocalCredentials } from '../scripts/system.ts'
import { startOperator } from '../test/support/operator.ts'

/**
 * How long a record that was put straight into the table waits until it is accepted. Nothing wakes the controller: it is
 * the query of the index that finds it. Goal: 300 ms, most of which is the distance between two queries.
 */
const records = 60
const betweenMs = 70

useLocalCredentials()
const operator = await startOperator({ MAX_RUNNING: '0' })
const put: { jobId: string; atMs: number }[] = []
for (let index = 0; index < records; index += 1) {
  const jobId = `pickup-${index}`
  put.push({ jobId, atMs: Date.now() })
  await operator.aws.clients().documents.send(
    new PutCommand({
      TableName: 'jobs',
      Item: {
        jobId,
        kind: 'container',
        phase: 'Submitted',
        createdAt: new Date().toISOString(),
        spec: { params: { taskDefinition: 'shell' } },
      },
    }),
  )
  await new Promise((resolve) => setTimeout(resolve, betweenMs))
}
const waits: number[] = []
for (const { jobId, atMs } of put) {
  const job = await operator.phase(jobId, 'Pending')
  waits.push(Date.parse(job.acceptedAt ?? '') - atMs)
}
await operator.close()
waits.sort((a, b) => a - b)
const at = (share: number): number => waits[Math.min(waits.length - 1, Math.floor(share * waits.length))] ?? 0
process.stdout.write(
  `records put: ${records}; accepted after ms: median ${at(0.5)}, p95 ${at(0.95)}, most ${at(1)}\n`,
)
