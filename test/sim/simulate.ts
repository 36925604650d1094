import { parseStartedBy, uidFitsJob } from '../../schemas/ids.ts'
import { isTerminal, livePhases } from '../../schemas/job.ts'
import { checkTemporary, createFamilyBounds } from './family-bounds.ts'
import { isOver } from './family-rules.ts'
import type { FaultName } from './faults.ts'
import type { Item, Violation } from './invariants.ts'
import { tail } from './network.ts'
import { checkSources, isSourceDue } from './sources.ts'
import { type Requests, startUsers } from './users.ts'
import {
  createWorld,
  eventLateAtMostMs,
  installation,
  type SimController,
  startOfTimeMs,
  type World,
} from './world.ts'

export type Run = {
  seed: number
  jobs: number
  steps: number
  faults: ReadonlyMap<FaultName, number>
  rows: ReadonlyMap<string, number>
  virtualMs: number
  violation: Violation | undefined
}

const minuteMs = 60_000
/** Longest deadline of a job (10,000 s), a launch that is looked up for 50 minutes and its listing, and the stop after it. */
const endsWithinMs = 10_000_000 + 60 * minuteMs + 20 * minuteMs
/** Nothing happens any more for so long: longer than the period of the sweep and the visibility time of events. */
const quietForMs = 6 * minuteMs

/**
 * One run: faults of all kinds for a while, the invariants checked at every step; then everything is healed, and every job
 * has to end within its bound, and the system to fall silent.
 */
export async function simulate(seed: number, trace?: (line: string) => void): Promise<Run> {
  const world = createWorld(seed, trace)
  const { scheduler, plan, faults } = world
  const requests = startUsers(world)
  for (let index = 0; index < plan.controllers; index += 1) world.startController()
  plagueControllers(world)
  plagueTasks(world)
  watchBounds(world)

  const failed = (): boolean => world.violation() !== undefined
  await scheduler.run(startOfTimeMs + plan.faultsMs, failed)
  if (!failed()) {
    heal(world)
    const healedMs = scheduler.nowMs()
    // Reading every record after every step would cost more than the run.
    const haveEnded = () => scheduler.fired() % 32 === 0 && allEnded(world, requests)
    await scheduler.run(healedMs + endsWithinMs, () => failed() || haveEnded())
    if (!failed()) checkEnded(world, requests, healedMs)
    if (!failed()) await checkQuiet(world, requests, healedMs, failed)
  }
  return {
    seed,
    jobs: requests.submitted,
    steps: world.steps(),
    faults: faults.counts,
    rows: world.rows,
    virtualMs: scheduler.nowMs() - startOfTimeMs,
    violation: world.violation(),
  }
}

/** Crashes, pauses, restarts and hand-overs, at any moment. */
function plagueControllers(world: World): void {
  const { random, faults, scheduler, plan } = world
  const later = (call: () => void): unknown => scheduler.after(tail(random, 2000, plan.faultsMs / 4), call)
  const running = (): SimController[] =>
    world.controllers.filter(({ process }) => process.state === 'running')
  const restartSoon = (): unknown =>
    scheduler.after(tail(random, 100, 60_000), () => {
      if (world.controllers.filter(({ process }) => process.state !== 'dead').length < plan.controllers)
        world.startController()
    })

  const plague = (): void => {
    if (faults.healed()) return
    const victim = running().length > 0 ? random.pick(running()) : undefined
    if (victim && faults.strikes('crash')) {
      world.say(victim.name, () => 'CRASHES')
      victim.process.kill()
      restartSoon()
    }
    if (victim && faults.has('crashBeforeEffect') && random.once(3)) {
      world.crashSoon(victim.process, 'before')
      restartSoon()
    }
    if (victim && faults.has('crashAfterEffect') && random.once(3)) {
      world.crashSoon(victim.process, 'after')
      restartSoon()
    }
    if (victim && faults.strikes('pauseShort')) pause(victim, tail(random, 500, plan.leaseS * 800))
    if (victim && faults.strikes('pauseBeyondLease'))
      pause(victim, plan.leaseS * 1000 + tail(random, 5000, 600_000))
    if (victim && faults.strikes('handOver')) {
      world.say(victim.name, () => 'gets SIGTERM')
      void victim.election.stop().then(() => victim.process.kill())
      restartSoon()
    }
    if (faults.strikes('nobodyForHours')) nobody()
    later(plague)
  }
  const pause = (victim: SimController, ms: number): void => {
    world.say(victim.name, () => `is PAUSED for ${Math.round(ms / 1000)} s`)
    victim.process.pause()
    scheduler.after(ms, () => {
      world.say(victim.name, () => 'WAKES UP')
      victim.process.wake()
    })
  }
  const nobody = (): void => {
    world.say('world', () => 'no controller for a long time')
    for (const { process } of world.controllers) process.kill()
    const forMs = random.pick([50, 65, 80]) * minuteMs
    const untilMs = scheduler.nowMs() + forMs
    const keepAway = (): void => {
      if (scheduler.nowMs() >= untilMs || faults.healed()) {
        restartSoon()
        return
      }
      for (const { process } of world.controllers) process.kill()
      scheduler.after(minuteMs, keepAway)
    }
    keepAway()
  }
  // However the last one ended, somebody starts another in the end.
  const caretaker = (): void => {
    if (faults.healed()) return
    if (world.controllers.every(({ process }) => process.state === 'dead')) restartSoon()
    scheduler.after(5 * minuteMs, caretaker)
  }
  later(plague)
  scheduler.after(5 * minuteMs, caretaker)
}

/** What AWS does to running tasks, and to lists of them. */
function plagueTasks(world: World): void {
  const { random, faults, scheduler, ecs } = world
  const plague = (): void => {
    if (faults.healed()) return
    const running = ecs.tasks().filter((task) => task.lastStatus === 'RUNNING')
    for (const task of running) {
      const isSpot = task.capacityProvider === 'FARGATE_SPOT'
      if (isSpot && faults.strikes('spotReclaim')) ecs.reclaim(task.arn)
      else if (faults.strikes('hostMaintenance')) ecs.maintain(task.arn)
    }
    if (faults.strikes('runTaskDown')) world.runTaskDown(random.pick([20, 55, 62]) * minuteMs)
    if (faults.strikes('eventsDown')) world.eventsDown(random.pick([30, 90, 120]) * minuteMs)
    if (faults.strikes('listFrozen')) {
      ecs.freezeListing(true)
      scheduler.after(tail(random, 1000, world.plan.graceS * 500), () => ecs.freezeListing(false))
    }
    scheduler.after(tail(random, 3000, 40_000), plague)
  }
  scheduler.after(1000, plague)
}

function heal(world: World): void {
  const { scheduler, controllers } = world
  world.say('world', () => 'HEALED: no more faults')
  world.heal()
  world.ecs.freezeListing(false)
  for (const { process } of controllers) process.wake()
  // What is suspended waits for a person: here somebody resumes everything.
  const resume = (): void => {
    for (const record of world.records()) {
      const spec = record.spec as { suspend?: boolean } | undefined
      if (spec?.suspend === true && !isTerminal(String(record.phase)))
        world.userWrites(String(record.jobId), { ...record, spec: { ...spec, suspend: false } })
    }
  }
  cancelSome(world)
  const caretaker = (): void => {
    // The last one may have been ending just now.
    if (controllers.every(({ process }) => process.state === 'dead')) world.startController()
    resume()
    scheduler.after(minuteMs, caretaker)
  }
  caretaker()
}

/** A cancel that meets a healthy system has to take effect within its bound. */
function cancelSome(world: World): void {
  const { random, scheduler, faults } = world
  if (!faults.has('cancelAfterHealing')) return
  for (const record of world.records()) {
    if (isTerminal(String(record.phase)) || !random.once(2)) continue
    faults.note('cancelAfterHealing')
    const jobId = String(record.jobId)
    scheduler.after(tail(random, 0, 2 * minuteMs), () => {
      const now = world.record(jobId)
      const spec = now?.spec as Record<string, unknown> | undefined
      if (random.once(2)) world.httpJobs.edit(jobId, { wish: 'cancel' }).catch(() => undefined)
      else if (now && spec && !isTerminal(String(now.phase)))
        world.userWrites(jobId, { ...now, spec: { ...spec, cancel: true } })
    })
  }
}

const livePhaseNames: readonly string[] = livePhases

function allEnded(world: World, requests: Requests): boolean {
  for (const jobId of requests.jobIds) if (world.record(jobId) === undefined) return false
  for (const record of world.records()) if (!hasEnded(world, record)) return false
  return ourTasks(world).length === 0
}

/**
 * A record with a uid of another one is no finished job, whatever its phase says: nobody has accepted it yet. A damaged one
 * with a terminal phase stays as it is.
 */
const hasEnded = (world: World, record: Item): boolean =>
  uidFitsJob(String(record.uid), String(record.jobId)) &&
  ((isOver(record) && !isSourceDue(record)) ||
    (world.damaged.has(String(record.jobId)) &&
      isTerminal(String(record.phase)) &&
      record.fence === undefined))

const ourTasks = (world: World) =>
  world.ecs
    .tasks()
    .filter(
      (task) =>
        task.lastStatus !== 'STOPPED' && parseStartedBy(task.startedBy)?.installation === installation,
    )

/** I12 and I4: every job has ended, and every message is a job or stands in the dead-letter queue with its reason. */
function checkEnded(world: World, requests: Requests, healedMs: number): void {
  for (const jobId of requests.jobIds)
    if (world.record(jobId) === undefined)
      world.fail('I4', `${jobId} was asked for, and there is no record of it`)
  for (const record of world.records())
    if (!hasEnded(world, record))
      world.fail(
        'I12',
        `${record.jobId} is ${record.phase}/${record.reason} ${Math.round((world.scheduler.nowMs() - healedMs) / minuteMs)} minutes after all was healed`,
      )
  for (const task of ourTasks(world))
    world.fail('I5', `${task.arn} of ${task.startedBy} is ${task.lastStatus} though every job has ended`)
  checkTemporary(world)
  checkSources(world)
}

/** I12: then nothing happens any more. Leases and status go on; launches, stops and writes of records do not. */
async function checkQuiet(
  world: World,
  requests: Requests,
  healedMs: number,
  failed: () => boolean,
): Promise<void> {
  const { scheduler, ecs, dynamo, sqs, names } = world
  const left = () =>
    [names.jobsQueue, names.taskEventsQueue].flatMap((queue) => sqs.messages(world.queueUrl(queue)))
  // Events of the last tasks are still on their way, some sent before the healing are very
  // late, and what was received before a crash comes again.
  await scheduler.run(
    Math.max(scheduler.nowMs() + minuteMs / 2, healedMs + eventLateAtMostMs + minuteMs / 2),
    failed,
  )
  const isCalm = () => scheduler.fired() % 32 === 0 && left().length === 0
  await scheduler.run(scheduler.nowMs() + 5 * quietForMs, () => failed() || isCalm())
  const launches = ecs.tasks().length
  let writes = 0
  // What has ended is reaped when its time is over, whether it is quiet or not.
  dynamo.onWrite(({ table, after }) => {
    if (table === names.jobsTable && after?.expiresAt === undefined) writes += 1
  })
  await scheduler.run(scheduler.nowMs() + quietForMs, failed)
  if (failed()) return
  if (writes > 0) world.fail('I12', `${writes} writes of records after everything had ended`)
  if (ecs.tasks().length > launches) world.fail('I12', 'A launch after everything had ended')
  for (const { name, process, leader } of world.controllers) {
    const slots = process.state === 'running' ? (leader()?.status().limits.running ?? 0) : 0
    if (slots > 0) world.fail('I7', `${name} counts ${slots} live jobs after everything had ended`)
  }
  if (left().length > 0)
    world.fail('I4', `${left().length} messages are left: ${left()[0]?.body.slice(0, 300)}`)
  const aside = sqs.messages(world.queueUrl(names.jobsDlq))
  for (const id of requests.rubbish)
    if (aside.every(({ attributes }) => attributes.messageId !== id))
      world.fail('I4', `Message ${id} is no job, and does not stand in the dead-letter queue`)
  for (const { body, attributes } of aside)
    if (attributes.reason === undefined)
      world.fail('I4', `In the dead-letter queue without a reason: ${body.slice(0, 200)}`)
}

/** I5 and I8: how long a task may live that no job wants, and how long a time-out may be overrun, once all is healed. */
function watchBounds(world: World): void {
  const { scheduler, faults, plan } = world
  const unwantedSinceMs = new Map<string, number>()
  const strayAtMostMs = 2 * plan.sweepMs + plan.graceS * 1000 + 3 * minuteMs
  const lateAtMostMs = plan.pollS * 1000 + plan.graceS * 1000 + 4 * minuteMs
  const silence = createSilence(world, lateAtMostMs)
  const families = createFamilyBounds(world)

  const wishedSinceMs = new Map<string, number>()
  // A raw edit is seen on a live record within the resync time, on a waiting one within ten minutes; then the task is
  // stopped. A launch without an answer is resolved first.
  const cancelAtMostMs = 10 * minuteMs + plan.graceS * 1000 + 4 * minuteMs
  const unresolvedAtMostMs = 50 * minuteMs + cancelAtMostMs

  const checkCancels = (nowMs: number): void => {
    for (const record of world.records()) {
      const { jobId, phase, spec, uid, taskArn, claim } = record as Record<string, unknown> & {
        spec?: { cancel?: boolean }
      }
      const key = `${String(jobId)}/${String(uid)}`
      if (spec?.cancel !== true || isTerminal(String(phase)) || phase === 'Submitted') {
        wishedSinceMs.delete(key)
        continue
      }
      const sinceMs = wishedSinceMs.get(key) ?? nowMs
      wishedSinceMs.set(key, sinceMs)
      const isResolved = phase === 'Pending' || taskArn !== undefined || claim !== undefined
      if (nowMs - sinceMs > (isResolved ? cancelAtMostMs : unresolvedAtMostMs))
        world.fail(
          'I8',
          `${String(jobId)} was to be cancelled ${Math.round((nowMs - sinceMs) / 1000)} s ago and is ${String(phase)}`,
        )
    }
  }

  const check = (): void => {
    scheduler.after(15_000, check)
    if (!faults.healed()) return
    const nowMs = scheduler.nowMs()
    checkCancels(nowMs)
    families.check()
    for (const task of ourTasks(world)) {
      const started = parseStartedBy(task.startedBy)
      const record = world.record(started?.jobId ?? '')
      const isWanted = record?.fence === started?.fence && livePhaseNames.includes(String(record?.phase))
      if (isWanted) unwantedSinceMs.delete(task.arn)
      const sinceMs = unwantedSinceMs.get(task.arn) ?? nowMs
      if (!isWanted) unwantedSinceMs.set(task.arn, sinceMs)
      if (!isWanted && nowMs - sinceMs > strayAtMostMs)
        world.fail(
          'I5',
          `${task.arn} of ${task.startedBy} has had no live job for ${Math.round((nowMs - sinceMs) / 1000)} s`,
        )
      const limits = (record as { settings?: { limits?: { attemptTimeout?: number } } } | undefined)?.settings
        ?.limits
      if (isWanted && record) silence.check(record, task.arn)
      if (!isWanted || task.startedAtMs === undefined || limits?.attemptTimeout === undefined) continue
      const ranMs = nowMs - Math.max(task.startedAtMs, 0)
      if (ranMs > limits.attemptTimeout * 1000 + lateAtMostMs && nowMs - healedAt(world) > lateAtMostMs)
        world.fail(
          'I8',
          `${task.arn} has run ${Math.round(ranMs / 1000)} s, and its attemptTimeout is ${limits.attemptTimeout} s`,
        )
    }
  }
  scheduler.after(15_000, check)
}

/** I8 and I10: how long a live task may go on after its worker fell silent, or after its job was cancelled. */
function createSilence(world: World, lateAtMostMs: number) {
  const since = new Map<string, { state: string; atMs: number }>()
  const lasted = (topic: string, arn: string, state: string): number => {
    const nowMs = world.scheduler.nowMs()
    const key = `${topic} ${arn}`
    const known = since.get(key)
    if (known?.state !== state) since.set(key, { state, atMs: nowMs })
    return known?.state === state ? nowMs - known.atMs : 0
  }
  return {
    check(record: Item, arn: string): void {
      const { jobId, phase, claim, progress, spec, settings } = record as {
        jobId: string
        phase: string
        claim?: { taskArn?: string }
        progress?: { beat?: number }
        spec?: { cancel?: boolean }
        settings?: { limits: { heartbeatTimeout: number } }
      }
      if (phase === 'Stopping' || world.damaged.has(jobId)) return
      const cancelledMs = lasted('cancel', arn, String(spec?.cancel === true))
      if (spec?.cancel === true && cancelledMs > lateAtMostMs)
        world.fail('I10', `${arn} of ${jobId} lives ${Math.round(cancelledMs / 1000)} s after the cancel`)
      if (claim?.taskArn !== arn || settings === undefined) return
      const silentMs = lasted('beat', arn, String(progress?.beat))
      if (silentMs > settings.limits.heartbeatTimeout * 1000 + lateAtMostMs)
        world.fail('I8', `${arn} of ${jobId} has been silent for ${Math.round(silentMs / 1000)} s`)
    },
  }
}

const healedAt = (world: World): number => startOfTimeMs + world.plan.faultsMs
