import type { Item } from '../test/sim/aws/dynamo-values.ts'

/** In the order in which a job comes to them. */
export const stageNames = [
  'submitted',
  'recorded',
  'accepted',
  'intended',
  'launched',
  'arn',
  'running',
  'noticed',
  'reported',
  'succeeded',
] as const
export type Stage = (typeof stageNames)[number]

/** When each job came to each of its stages. */
export function createStages(nowMs: () => number) {
  const reachedAtMs = new Map<string, Partial<Record<Stage, number>>>()

  function reached(jobId: string, stage: Stage): void {
    const known = reachedAtMs.get(jobId) ?? {}
    reachedAtMs.set(jobId, known)
    known[stage] ??= nowMs()
  }

  return {
    reached,

    wrote(before: Item | undefined, after: Item | undefined): void {
      if (after === undefined) return
      const jobId = String(after.jobId)
      if (before === undefined) reached(jobId, 'recorded')
      else if (before.phase !== after.phase) {
        const stage = stageOfPhase[String(after.phase)]
        if (stage !== undefined) reached(jobId, stage)
      } else if (before.taskArn === undefined && after.taskArn !== undefined) reached(jobId, 'arn')
      else if (before.report === undefined && after.report !== undefined) reached(jobId, 'reported')
    },

    /** How long jobs took from one stage to the next, shortest first. */
    waits(from: Stage, to: Stage): number[] {
      const waits: number[] = []
      for (const times of reachedAtMs.values()) {
        const [fromMs, toMs] = [times[from], times[to]]
        if (fromMs !== undefined && toMs !== undefined) waits.push(toMs - fromMs)
      }
      return waits.sort((a, b) => a - b)
    },

    /** When the last job came to a stage. */
    last: (stage: Stage): number =>
      [...reachedAtMs.values()].reduce((latest, times) => Math.max(latest, times[stage] ?? 0), 0),
  }
}

const stageOfPhase: Readonly<Record<string, Stage>> = {
  Pending: 'accepted',
  Starting: 'intended',
  Running: 'noticed',
  Succeeded: 'succeeded',
}
