/** A bug on purpose, of a kind that real controllers had. */
export type Mutant = {
  file: string
  name: string
  /** The bug in one sentence. */
  what: string
  /** What has to see it: the simulation, or a test file where the simulation has no way to. */
  caughtBy: 'sim' | `test/${string}.test.ts`
}

export const mutants: readonly Mutant[] = [
  {
    file: './01-claim-and-skip.patch',
    name: 'claim-and-skip',
    what: 'A launch whose intent is written is taken for launched: found again after a crash, it is skipped',
    caughtBy: 'sim',
  },
  {
    file: './02-random-token.patch',
    name: 'random-token',
    what: 'Each send of a launch has a token of its own, so a replay after a lost reply starts a second task',
    caughtBy: 'sim',
  },
  {
    file: './03-token-per-job.patch',
    name: 'token-per-job',
    what: 'One token for all launches of a job: the second attempt is handed the task of the first',
    caughtBy: 'sim',
  },
  {
    file: './04-replace-on-desired-status.patch',
    name: 'replace-on-desired-status',
    what: 'A task that was told to stop counts as stopped, though it works on for two minutes',
    caughtBy: 'sim',
  },
  {
    file: './05-absence-is-death.patch',
    name: 'absence-is-death',
    what: 'A task that DescribeTasks does not show is lost at once, without grace and whatever its worker says',
    caughtBy: 'sim',
  },
  {
    file: './06-attempts-not-counted.patch',
    name: 'attempts-not-counted',
    what: 'Failures are not counted in the record, so a job that always fails is tried for ever',
    caughtBy: 'sim',
  },
  {
    file: './07-no-revision.patch',
    name: 'no-revision',
    what: 'Writes are not conditional on the revision that was read',
    caughtBy: 'sim',
  },
  {
    file: './08-message-deleted-first.patch',
    name: 'message-deleted-first',
    what: 'A message is deleted when it is received, before the record is durable',
    caughtBy: 'sim',
  },
  {
    file: './09-acts-on-expired-lease.patch',
    name: 'acts-on-expired-lease',
    what: 'A leader acts until it is told that another one leads, however long ago its lease ran out',
    caughtBy: 'sim',
  },
  {
    file: './10-lease-counted-from-reply.patch',
    name: 'lease-counted-from-reply',
    what: 'The lease is counted from when the reply came, not from when the request was sent',
    caughtBy: 'sim',
  },
  {
    file: './11-lease-taken-at-once.patch',
    name: 'lease-taken-at-once',
    what: 'A standby takes the lease without having watched it for a whole lease time',
    caughtBy: 'sim',
  },
  {
    file: './12-no-back-off.patch',
    name: 'no-back-off',
    what: 'A failed attempt is followed by the next one at once',
    caughtBy: 'sim',
  },
  {
    file: './13-timeout-from-record-time.patch',
    name: 'timeout-from-record-time',
    what: 'startTimeout counts from the launch as recorded, so after hours without a controller a young task is stopped',
    caughtBy: 'sim',
  },
  {
    file: './14-heartbeat-from-record-time.patch',
    name: 'heartbeat-from-record-time',
    what: 'Silence is measured against the time of the last heartbeat in the record',
    caughtBy: 'sim',
  },
  {
    file: './15-exit-0-before-stop-code.patch',
    name: 'exit-0-before-stop-code',
    what: 'Exit code 0 is success, also of a task that Spot took back',
    caughtBy: 'sim',
  },
  {
    file: './16-fence-ignored-for-orphans.patch',
    name: 'fence-ignored-for-orphans',
    what: 'Sweep and events take every task for an orphan whose ARN is not recorded, also one that was launched a moment ago',
    caughtBy: 'sim',
  },
  {
    file: './17-orphans-stay.patch',
    name: 'orphans-stay',
    what: 'The sweep looks for jobs without a task, never for tasks without a job',
    caughtBy: 'sim',
  },
  {
    file: './18-defaults-over-spec.patch',
    name: 'defaults-over-spec',
    what: 'Acceptance writes the spec with all defaults back over what the user wrote',
    caughtBy: 'sim',
  },
  {
    file: './19-whole-record-put.patch',
    name: 'whole-record-put',
    what: 'The controller writes back the whole record that it read, over what the worker wrote meanwhile',
    caughtBy: 'sim',
  },
  {
    file: './20-stopping-for-ever.patch',
    name: 'stopping-for-ever',
    what: 'A task that stopped is only settled in Starting and Running: nothing leads out of Stopping',
    caughtBy: 'sim',
  },
  {
    file: './21-stop-asked-once.patch',
    name: 'stop-asked-once',
    what: 'A StopTask that failed is never sent again',
    caughtBy: 'test/controller/decide.test.ts',
  },
  {
    file: './22-numbers-restart.patch',
    name: 'numbers-restart',
    what: 'A retry counts attempts and launches from one again',
    caughtBy: 'sim',
  },
  {
    file: './23-settle-without-report.patch',
    name: 'settle-without-report',
    what: 'The write that ends a launch is not conditional on claim and report as read',
    caughtBy: 'test/sim/races.test.ts',
  },
  {
    file: './24-started-by-without-launch.patch',
    name: 'started-by-without-launch',
    what: 'startedBy names the attempt but not the launch',
    caughtBy: 'sim',
  },
  {
    file: './25-grace-from-launch.patch',
    name: 'grace-from-launch',
    what: 'The grace of a missing task counts from the launch, not from when it was first missing',
    caughtBy: 'test/controller/decide.test.ts',
  },
  {
    file: './26-backed-off-for-ever.patch',
    name: 'backed-off-for-ever',
    what: 'Nothing puts a job whose back-off is over into its line again',
    caughtBy: 'sim',
  },
  {
    file: './27-cancel-ignored-while-starting.patch',
    name: 'cancel-ignored-while-starting',
    what: 'A cancel takes effect only on a running task: one that never starts keeps its slot',
    caughtBy: 'test/controller/decide.test.ts',
  },
  {
    file: './28-cancel-becomes-success.patch',
    name: 'cancel-becomes-success',
    what: 'A report of success is believed also after the cancel was recorded',
    caughtBy: 'sim',
  },
  {
    file: './29-old-listing-believed.patch',
    name: 'old-listing-believed',
    what: 'A listing from before the refusal is taken as proof that nothing runs',
    caughtBy: 'test/controller/decide.test.ts',
  },
  {
    file: './30-slot-leaked.patch',
    name: 'slot-leaked',
    what: 'A slot that admission gave and the job did not use is never given back',
    caughtBy: 'sim',
  },
  {
    file: './31-slots-not-counted.patch',
    name: 'slots-not-counted',
    what: 'Admission counts what runs but not what it has just let start',
    caughtBy: 'sim',
  },
  {
    file: './32-no-pacer.patch',
    name: 'no-pacer',
    what: 'RunTask is sent as fast as jobs come',
    caughtBy: 'sim',
  },
  {
    file: './33-evidence-deleted.patch',
    name: 'evidence-deleted',
    what: 'A STOPPED event is deleted from the queue before the attempt is settled',
    caughtBy: 'test/controller/intake.test.ts',
  },
  {
    file: './34-strangers-stopped.patch',
    name: 'strangers-stopped',
    what: 'The sweep takes every task of the cluster for one of ours',
    caughtBy: 'sim',
  },
  {
    file: './35-admits-before-load.patch',
    name: 'admits-before-load',
    what: 'A new leader admits before it knows what runs',
    caughtBy: 'sim',
  },
  {
    file: './36-lost-without-beat.patch',
    name: 'lost-without-beat',
    what: 'A task is given up for lost though its worker wrote a heartbeat after the record was read',
    caughtBy: 'test/sim/races.test.ts',
  },
  {
    file: './37-costs-not-added.patch',
    name: 'costs-not-added',
    what: 'The cost of a job is that of its last attempt',
    caughtBy: 'sim',
  },
  {
    file: './38-fence-outlives-launch.patch',
    name: 'fence-outlives-launch',
    what: 'The fence stays after the end, for late reports, and healing starts the finished job again',
    caughtBy: 'sim',
  },
  {
    file: './39-next-before-strays-are-gone.patch',
    name: 'next-before-strays-are-gone',
    what: 'The first launch of an overwritten record does not wait for the task of the record before',
    caughtBy: 'sim',
  },
  {
    file: './40-suspended-stays-in-line.patch',
    name: 'suspended-stays-in-line',
    what: 'A suspended job keeps its place at the head of the line, and is admitted again and again',
    caughtBy: 'test/controller/decide.test.ts',
  },
  {
    file: './41-heartbeat-never-lost.patch',
    name: 'heartbeat-never-lost',
    what: 'A worker that hangs is never noticed before its attempt times out',
    caughtBy: 'sim',
  },
  {
    file: './42-attempt-timeout-never.patch',
    name: 'attempt-timeout-never',
    what: 'attemptTimeout is checked only while a task starts',
    caughtBy: 'test/controller/decide.test.ts',
  },
  {
    file: './43-message-overwrites-record.patch',
    name: 'message-overwrites-record',
    what: 'A message that comes again puts its record again, over a job that runs',
    caughtBy: 'sim',
  },
  {
    file: './44-claim-without-fence.patch',
    name: 'claim-without-fence',
    what: 'A worker claims whatever launch is current, also when it belongs to an earlier one',
    caughtBy: 'sim',
  },
  {
    file: './45-record-before-look.patch',
    name: 'record-before-look',
    what: 'The record is read before the task is looked at',
    caughtBy: 'test/sim/races.test.ts',
  },
  {
    file: './46-relaunch-after-done.patch',
    name: 'relaunch-after-done',
    what: 'A launch that nothing was found of is made again though its worker had reported',
    caughtBy: 'test/controller/decide.test.ts',
  },
  {
    file: './47-budget-off-by-one.patch',
    name: 'budget-off-by-one',
    what: 'One more infrastructure failure than allowed',
    caughtBy: 'sim',
  },
]
