import { setTimeout as sleep } from 'node:timers/promises'
import { ScanCommand } from '@aws-sdk/lib-dynamodb'
import { isTerminal } from '../../schemas/job.ts'
import type { TestAws } from '../support/local-aws.ts'
import type { Call } from '../support/proxy.ts'
import { readClaim, reportsDone } from './calls.ts'
import { trueTasks } from './tasks.ts'
import type { Stored } from './users.ts'

export type Grant = { jobId: string; fence: string; taskArn: string; atMs: number }

export type Watch = {
  /** To be told of every answer that a worker got. */
  onAnswer(call: Call, status: number): void
  /** Claims that were granted, oldest first. */
  grants: readonly Grant[]
  /** Reports of success that were taken. */
  reports: readonly { jobId: string; atMs: number }[]
  /** Every process group that a task ever had. */
  groups: ReadonlySet<number>
  /** What should never be seen. */
  violations: readonly string[]
  stop(): Promise<void>
}

const everyMs = 400

/** Looks over everybody's shoulder while the run lasts: what is seen here cannot be read from the end alone. */
export function startWatch(aws: TestAws): Watch {
  const { documents } = aws.clients()
  const grants: Grant[] = []
  const reports: { jobId: string; atMs: number }[] = []
  const groups = new Set<number>()
  const violations: string[] = []
  const ended = new Map<string, string>()
  const stopping = new AbortController()

  /** Terminal is final for its generation. */
  const lookAtRecord = ({ jobId, phase = 'Submitted', uid, generation }: Stored): void => {
    const life = `${jobId} ${uid}/${generation}`
    const before = ended.get(life)
    // A retry is written as Submitted, before the generation is counted up.
    if (before !== undefined && before !== phase && phase !== 'Submitted')
      violations.push(`${jobId} was ${before} in generation ${generation}, and then ${phase}`)
    if (isTerminal(phase)) ended.set(life, phase)
  }

  const look = async (): Promise<void> => {
    for (const { group } of await trueTasks(aws)) if (group !== undefined) groups.add(group)
    const { Items: items } = await documents.send(
      new ScanCommand({ TableName: 'jobs', ConsistentRead: true }),
    )
    for (const item of items ?? []) lookAtRecord(item as Stored)
  }

  const watching = (async () => {
    while (!stopping.signal.aborted) {
      await look().catch((error: unknown) => violations.push(`The watch could not look: ${String(error)}`))
      await sleep(everyMs, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  })()

  return {
    onAnswer(call, status) {
      const claim = readClaim(call)
      if (claim && status === 200) grants.push({ ...claim, atMs: Date.now() })
      const jobId = reportsDone(call)
      if (jobId !== undefined && status === 200) reports.push({ jobId, atMs: Date.now() })
    },
    grants,
    reports,
    groups,
    violations,
    async stop() {
      stopping.abort()
      await watching
    },
  }
}
