import type { TaskLook } from '../run/answers.ts'

/** A task of a job that is not the task of its current launch. Times are of the monotonic clock. */
type StrayTask = {
  desiredStatus: string
  stopAskedAtMs: number | undefined
  missingSinceMs: number | undefined
  /** It has stopped, or been missing for the whole grace: remembered, so that the record does not make it a stray again. */
  isOver: boolean
}

/** Tasks that have to be stopped, by job: found by sweeps and events, or left behind by a record that changed. */
export function createStrays(visibilityGraceMs: number) {
  const strays = new Map<string, Map<string, StrayTask>>()

  const alive = (jobId: string): [string, StrayTask][] =>
    [...(strays.get(jobId) ?? [])].filter(([, task]) => !task.isOver)

  return {
    /** A task that is known to be over stays over. */
    add(jobId: string, arn: string, desiredStatus: string, missingSinceMs?: number): void {
      const tasks = strays.get(jobId) ?? new Map<string, StrayTask>()
      const known = tasks.get(arn)
      const fresh = { desiredStatus, stopAskedAtMs: undefined, missingSinceMs, isOver: false }
      tasks.set(arn, known ? { ...known, desiredStatus } : fresh)
      strays.set(jobId, tasks)
    },

    /** It turned out to be the task of the current launch after all. */
    delete(jobId: string, arn: string): void {
      const tasks = strays.get(jobId)
      tasks?.delete(arn)
      if (tasks?.size === 0) strays.delete(jobId)
    },

    /** What is over need not be remembered any longer. */
    tidy(jobId: string): void {
      if (alive(jobId).length === 0) strays.delete(jobId)
    },

    /** @param look undefined: DescribeTasks did not know it, which may mean too young, so it counts only after the grace */
    learn(jobId: string, arn: string, look: TaskLook | undefined, nowMs: number): void {
      const task = strays.get(jobId)?.get(arn)
      if (!task) return
      if (look) {
        task.isOver = look.stop !== undefined
        task.desiredStatus = look.desiredStatus
        task.missingSinceMs = undefined
        return
      }
      task.missingSinceMs ??= nowMs
      task.isOver = nowMs - task.missingSinceMs >= visibilityGraceMs
    },

    stopAsked(jobId: string, arn: string, nowMs: number): void {
      const task = strays.get(jobId)?.get(arn)
      if (task) task.stopAskedAtMs = nowMs
    },

    of: (jobId: string): { arn: string; desiredStatus: string; stopAskedAtMs: number | undefined }[] =>
      alive(jobId).map(([arn, { desiredStatus, stopAskedAtMs }]) => ({ arn, desiredStatus, stopAskedAtMs })),
    has: (jobId: string): boolean => alive(jobId).length > 0,

    *all(): Generator<{ jobId: string; arn: string }> {
      for (const jobId of strays.keys()) for (const [arn] of alive(jobId)) yield { jobId, arn }
    },
  }
}
