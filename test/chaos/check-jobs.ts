import { isTerminal } from '../../schemas/job.ts'
import type { TrueTask } from './tasks.ts'
import type { Asked, Stored } from './users.ts'
import type { Grant } from './watch.ts'

/** What is known at the end of the run. */
export type Evidence = {
  asked: readonly Asked[]
  records: ReadonlyMap<string, Stored>
  tasks: readonly TrueTask[]
  grants: readonly Grant[]
  /** Reports of success that were taken. */
  reports: readonly { jobId: string; atMs: number }[]
  /** What each script wrote down, by jobId. */
  proofs: ReadonlyMap<string, readonly string[]>
}

/** Every job ended once and as expected, and its ledger is what truly ran. Each sentence is something wrong. */
export function checkJobs(evidence: Evidence): string[] {
  const strangers = [...evidence.records.keys()].filter(
    (jobId) => !evidence.asked.some((asked) => asked.jobId === jobId),
  )
  return [
    ...strangers.map((jobId) => `${jobId} is a job that nobody asked for`),
    ...evidence.asked.flatMap((asked) => {
      const record = evidence.records.get(asked.jobId)
      if (record === undefined) return [`${asked.jobId} has no record`]
      const tasks = evidence.tasks.filter(({ owner }) => owner.jobId === asked.jobId)
      return [
        ...checkEnd(asked, record),
        ...checkLedger(asked, record, tasks, evidence.grants),
        ...checkClaims(asked.jobId, tasks, evidence.grants),
        ...checkReports(asked.jobId, evidence),
        ...(asked.wanted.kind === 'container'
          ? checkProof(asked, record, evidence.proofs.get(asked.jobId) ?? [])
          : []),
        ...checkOverlap(asked, tasks, evidence.grants),
      ]
    }),
  ]
}

function checkEnd({ jobId, wanted }: Asked, record: Stored): string[] {
  const generations = wanted.wish === 'retry' ? 2 : 1
  const ends = (record.history ?? []).filter(({ phase }) => isTerminal(phase))
  const { failed = 0, infra = 0 } = record.counts ?? {}
  const { attempts = 3 } = wanted.limits as { attempts?: number }
  return wrong(jobId, [
    [record.phase === wanted.ends, `it is ${record.phase}/${record.reason} and not ${wanted.ends}`],
    [record.generation === generations, `it is in generation ${record.generation}, not ${generations}`],
    // The history of a job with very many attempts may have lost its beginning.
    [
      ends.length === generations || (record.history?.length ?? 0) >= 20,
      `it ended ${ends.length} times: ${ends.map(({ phase }) => phase).join(', ')}`,
    ],
    [failed <= attempts, `${failed} failures were counted, ${attempts} allowed`],
    [infra <= 100, `${infra} losses to the infrastructure were counted`],
    [
      !['fence', 'claim', 'launching', 'taskArn', 'stopping', 'backlogQueue'].some((name) => name in record),
      'something of a launch is left in its record',
    ],
  ])
}

function checkLedger(
  { jobId, wanted }: Asked,
  record: Stored,
  tasks: readonly TrueTask[],
  grants: readonly Grant[],
): string[] {
  const attempts = record.attempts ?? []
  const numbers = attempts.map(({ n }) => n)
  const complaints = tasks.flatMap((task) => {
    const { uid, attempt, launch } = task.owner
    const entry = attempts.find(({ n }) => n === attempt)
    const worked =
      wanted.kind === 'container'
        ? task.startedMs !== undefined
        : grants.some(({ taskArn }) => taskArn === task.taskArn)
    return wrong(`${jobId}, task ${task.taskId}`, [
      [uid === record.uid, 'it is of another life of the record'],
      [entry !== undefined, `attempt ${attempt} is not in the ledger`],
      [launch <= (record.lastLaunch ?? 0), `launch ${launch} is above lastLaunch`],
      [
        !worked || entry?.taskArn === task.taskArn,
        `it worked, but attempt ${attempt} names ${entry?.taskArn}`,
      ],
    ])
  })
  const entries = attempts.flatMap((entry) => {
    const task = tasks.find(({ taskArn }) => taskArn === entry.taskArn)
    return wrong(`${jobId}, attempt ${entry.n}`, [
      [entry.outcome !== undefined, 'it has no outcome'],
      [entry.taskArn === undefined || task?.owner.attempt === entry.n, 'its task is not one of it'],
    ])
  })
  const expected = Array.from({ length: record.lastAttempt ?? 0 }, (_, index) => index + 1)
  return [
    ...complaints,
    ...entries,
    ...wrong(jobId, [
      [
        numbers.join() === expected.join(),
        `attempts are ${numbers.join()}, lastAttempt is ${record.lastAttempt}`,
      ],
      [
        (record.phase === 'Succeeded') === (attempts.at(-1)?.outcome?.class === 'success'),
        `it is ${record.phase}, its last attempt is ${attempts.at(-1)?.outcome?.class}`,
      ],
      [
        attempts.filter(({ outcome }) => outcome?.class === 'success').length <= 1,
        'more than one attempt succeeded',
      ],
    ]),
  ]
}

function checkClaims(jobId: string, tasks: readonly TrueTask[], grants: readonly Grant[]): string[] {
  const claimants = new Map<string, Set<string>>()
  for (const { fence, taskArn } of grants.filter((grant) => grant.jobId === jobId)) {
    const attempt = fence.split('/').slice(0, 2).join('/')
    claimants.set(attempt, (claimants.get(attempt) ?? new Set()).add(taskArn))
  }
  const twice = [...claimants].filter(([, arns]) => arns.size > 1)
  const alive = tasks.filter(({ lastStatus }) => lastStatus !== 'STOPPED')
  return [
    ...twice.map(
      ([attempt, arns]) => `${jobId}: attempt ${attempt} was claimed by ${[...arns].join(' and ')}`,
    ),
    ...alive.map(({ taskId, lastStatus }) => `${jobId}: task ${taskId} is still ${lastStatus}`),
  ]
}

/** Done is done: after a report of success nobody works for the job again. */
function checkReports(jobId: string, { reports, grants }: Evidence): string[] {
  const doneMs = Math.min(...reports.filter((report) => report.jobId === jobId).map(({ atMs }) => atMs))
  return grants
    .filter((grant) => grant.jobId === jobId && grant.atMs > doneMs)
    .map(({ fence }) => `${jobId}: ${fence} was begun after the job had been reported done`)
}

/** A container's own notes: each launch began once, and the attempt that won came to its end. */
function checkProof({ jobId }: Asked, record: Stored, lines: readonly string[]): string[] {
  const twice = lines.filter((line, index) => lines.indexOf(line) !== index)
  const won = record.attempts?.find(({ outcome }) => outcome?.class === 'success')?.n
  const finished = lines.some((line) => line.startsWith(`end ${record.uid}/${won}/`))
  return wrong(jobId, [
    [twice.length === 0, `it did twice: ${twice.join(', ')}`],
    [won === undefined || finished, `attempt ${won} won, but its script never came to its end`],
  ])
}

/** Of two tasks of one job, the second begins after the first has stopped: measured from its claim, where it claims. */
function checkOverlap(
  { jobId, wanted }: Asked,
  tasks: readonly TrueTask[],
  grants: readonly Grant[],
): string[] {
  const spans = tasks
    .flatMap(({ taskId, taskArn, startedMs, stoppedMs = Number.POSITIVE_INFINITY }) => {
      const claimedMs = grants.find((grant) => grant.taskArn === taskArn)?.atMs
      const fromMs = wanted.kind === 'container' ? startedMs : claimedMs
      return fromMs === undefined ? [] : [{ taskId, fromMs, stoppedMs }]
    })
    .sort((one, other) => one.fromMs - other.fromMs)
  return spans.flatMap((span, index) => {
    const before = spans[index - 1]
    return before !== undefined && span.fromMs < before.stoppedMs
      ? [`${jobId}: task ${span.taskId} began before ${before.taskId} had stopped`]
      : []
  })
}

const wrong = (of: string, expectations: readonly (readonly [boolean, string])[]): string[] =>
  expectations.flatMap(([holds, otherwise]) => (holds ? [] : [`${of}: ${otherwise}`]))
