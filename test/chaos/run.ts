import { cp, mkdtemp, readdir, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isTerminal } from '../../schemas/job.ts'
import { startProxy } from '../support/proxy.ts'
import { createRandom } from '../support/random.ts'
import { until } from '../support/wait.ts'
import { taskOfWrite } from './calls.ts'
import { checkJobs } from './check-jobs.ts'
import { checkOutputs } from './check-outputs.ts'
import { checkQuiet, strangersOf } from './check-quiet.ts'
import { type Fleet, startFleet } from './fleet.ts'
import { planJobs } from './jobs.ts'
import { createKiller, type Killer, planSteps, type Step } from './kills.ts'
import type { Options } from './options.ts'
import { jobsTable, leadershipTable, listed, retriesByClass, table } from './report.ts'
import { doTo, trueTasks } from './tasks.ts'
import { createTrap } from './traps.ts'
import { createUsers, type Stored, type Users } from './users.ts'
import { startWatch, type Watch } from './watch.ts'
import { startWeather, type Weather } from './weather.ts'
import { windows } from './windows.ts'
import { leadWorkersThrough, openWorld, type World } from './world.ts'

type Say = (text: string) => void
type Parts = {
  world: World
  fleet: Fleet
  users: Users
  watch: Watch
  weather: Weather
  killer: Killer
  /** Tasks that were gone when their window opened. */
  missed: readonly string[]
}

const healedTimeoutMs = 150_000
const anotherJobMs = 15_000

/** The whole run. @returns what is wrong, in sentences */
export async function runChaos(options: Options, say: Say): Promise<string[]> {
  const { seed } = options
  const startedMs = performance.now()
  say(`Seed ${seed}: ${options.jobs} jobs, ${options.kills} SIGKILLs, ${windows.length} windows.`)
  const complaints: string[] = []
  const world = await openWorld()
  const endpoints = [world.aws.endpoint]
  try {
    const { parts, close } = await assemble(world, seed)
    endpoints.push(...parts.fleet.members.map(({ endpoint }) => endpoint))
    try {
      const work = async () => {
        await storm(parts, options, say)
        return [...(await heal(parts, say)), ...(await check(parts, options, say))]
      }
      complaints.push(...(await Promise.race([work(), interruption()])))
    } catch (error) {
      complaints.push(`The run broke off: ${error instanceof Error ? error.message : String(error)}`)
    }
    await close()
    complaints.push(...parts.watch.violations, ...parts.fleet.violations)
    if (complaints.length > 0) say(`\nLogs and records are kept in ${await keepEvidence(parts)}`)
  } finally {
    await world.close()
  }
  complaints.push(...strangersOf(endpoints))
  say(`Total time: ${Math.round((performance.now() - startedMs) / 1000)} s`)
  return complaints
}

/** So that an interrupted run leaves nothing behind either. */
const interruption = (): Promise<never> =>
  new Promise((_, reject) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.once(signal, () => reject(new Error(`it got ${signal}`)))
  })

async function assemble(world: World, seed: number) {
  const { aws } = world
  const trap = createTrap()
  const missed: string[] = []
  const weather = startWeather(world, seed + 100)
  const watch = startWatch(aws)
  const fleet = await startFleet(aws, createRandom(seed + 200), (call, member) => {
    const kill = () => {
      fleet.kill(member)
      return true
    }
    return trap.judge(call, 'controller', kill) ?? weather.noise()
  })
  const workers = await startProxy(
    aws.endpoint,
    (call) => {
      const kill = (victim: 'caller' | 'leader') => {
        if (victim === 'caller') {
          const taskId = taskOfWrite(call)?.split('/').at(-1) ?? ''
          void doTo(aws, taskId, 'kill').then((isKilled) => isKilled || missed.push(taskId))
          return true
        }
        const leader = fleet.leaderNow()
        if (leader) fleet.kill(leader)
        return leader !== undefined
      }
      return trap.judge(call, 'worker', kill) ?? weather.noise()
    },
    watch.onAnswer,
  )
  await leadWorkersThrough(aws, workers.endpoint)
  const users = createUsers(world, fleet, seed + 300)
  const killer = createKiller(aws, fleet, trap, createRandom(seed + 400))
  const parts: Parts = { world, fleet, users, watch, weather, killer, missed }
  const close = async () => {
    await weather.heal()
    await fleet.close()
    await watch.stop()
    await workers.close()
  }
  return { parts, close }
}

/** Jobs come in while everything is done to them; each step gets the sort of job that it takes. */
async function storm({ fleet, users, killer }: Parts, options: Options, say: Say): Promise<void> {
  const random = createRandom(options.seed)
  const waiting = planJobs(options.jobs, random)
  const steps = planSteps(options.kills, random)
  const submitFirst = async (fits: (job: (typeof waiting)[number]) => boolean): Promise<void> => {
    const index = waiting.findIndex(fits)
    const [job] = index < 0 ? [] : waiting.splice(index, 1)
    if (job) await users.submit(job)
  }
  const perform = async (step: Step, index: number): Promise<void> => {
    const beganMs = performance.now()
    const done = killer.perform(step)
    if (step.needs) await submitFirst(step.needs)
    const due = Math.ceil((options.jobs * (index + 1)) / steps.length)
    while (users.asked.length < due && waiting.length > 0) {
      // What a later step takes is left for it, as long as there is something else.
      const isTaken = (job: (typeof waiting)[number]) =>
        steps.slice(index + 1).some(({ needs }) => needs?.(job))
      await submitFirst(waiting.every(isTaken) ? () => true : (job) => !isTaken(job))
    }
    if (index % 10 === 5) await users.sendRubbish()
    const waiter = new AbortController()
    const more = helpAfterAWhile(step, waiter.signal)
    await done.finally(() => waiter.abort())
    await more
    say(
      `${String(index + 1).padStart(3)}/${steps.length} ${step.name} (${Math.round(performance.now() - beganMs)} ms)`,
    )
  }
  /** The job that a step takes may have ended before, or wait for a long time. */
  const helpAfterAWhile = async ({ needs }: Step, signal: AbortSignal): Promise<void> => {
    await sleep(anotherJobMs, undefined, { signal }).catch(() => undefined)
    if (needs && !signal.aborted) await submitFirst(needs)
  }
  await fleet.leader()
  for (const [index, step] of steps.entries()) {
    await perform(step, index)
    await sleep(random.below(600))
  }
  for (const job of waiting) await users.submit(job)
}

/** No more faults: from here on everything has to come to its end by itself. */
async function heal({ world, fleet, users, weather }: Parts, say: Say): Promise<string[]> {
  await weather.heal()
  const healedMs = performance.now()
  await fleet.settle()
  await users.settle()
  const open = async (): Promise<Stored[]> => {
    const records = await Promise.all(
      users.asked.map(async ({ jobId }) => (await users.record(jobId)) ?? { jobId }),
    )
    return records.filter(({ phase }) => !isTerminal(phase ?? ''))
  }
  const ended = await until(
    'all jobs to end',
    async () => (await open()).length === 0,
    healedTimeoutMs,
  ).catch(() => false)
  // A task that was told to stop may be a moment behind its job.
  await until(
    'all tasks to stop',
    async () => (await trueTasks(world.aws)).every(({ lastStatus }) => lastStatus === 'STOPPED'),
    20_000,
  ).catch(() => undefined)
  say(
    `All faults off; ${ended ? 'all jobs had ended' : 'not all jobs have ended'} after ${Math.round(performance.now() - healedMs)} ms.`,
  )
  if (ended) return []
  return (await open()).map(
    ({ jobId, phase, reason, message }) => `${jobId} does not end: ${phase}/${reason} ${message ?? ''}`,
  )
}

async function check(parts: Parts, options: Options, say: Say): Promise<string[]> {
  const { world, fleet, users, watch, weather, killer } = parts
  const { asked, rubbish } = users
  const tasks = await trueTasks(world.aws)
  const { grants, reports, groups } = watch
  const evidence = {
    asked,
    records: await recordsOf(parts),
    tasks,
    grants,
    reports,
    proofs: await readProofs(world),
  }
  const complaints = [...checkJobs(evidence), ...(await checkQuiet(world, fleet, { tasks, groups, rubbish }))]
  let films = 0
  for (const one of asked.filter(({ wanted }) => wanted.kind === 'transcode')) {
    const record = evidence.records.get(one.jobId)
    if (record?.phase === 'Succeeded') films += 1
    if (record) complaints.push(...(await checkOutputs(world, one, record, tasks)))
  }
  const { controllers, tasks: killedTasks, children } = killer.counts
  const kills = controllers + killedTasks + children
  const notHit = windows.filter(({ name }) => !killer.hits.has(name)).map(({ name }) => name)
  if (kills < options.kills) complaints.push(`Only ${kills} of ${options.kills} SIGKILLs were sent`)
  complaints.push(...parts.missed.map((taskId) => `Task ${taskId} was gone when it was to be killed`))
  complaints.push(...notHit.map((name) => `The window "${name}" was not hit`))

  say(`\n${jobsTable(asked, evidence.records)}`)
  say(`\n${table([['window', 'hit'], ...windows.map(({ name }) => [name, killer.hits.get(name) ?? 0])])}`)
  say(`\n${leadershipTable(fleet)}`)
  say(
    `\n${table([
      ['what', 'how many'],
      [
        'SIGKILLs',
        `${kills}: controllers ${controllers}, tasks ${killedTasks}, children of workers ${children}`,
      ],
      ['windows', `${windows.length - notHit.length} of ${windows.length}`],
      ['faults that struck', listed(weather.counts())],
      ['tasks that ran', `${tasks.filter(({ startedMs }) => startedMs).length} of ${tasks.length} launched`],
      ['claims', grants.length],
      ['retries by class', listed(retriesByClass(evidence.records.values()))],
      ['transcodes checked', `${films}, each file by size and checksum, each playlist by its duration`],
      ['messages put aside', rubbish.length],
    ])}`,
  )
  return complaints
}

const recordsOf = async ({ users }: Pick<Parts, 'users'>): Promise<Map<string, Stored>> => {
  const records = await Promise.all(users.asked.map(({ jobId }) => users.record(jobId)))
  return new Map(records.flatMap((record) => (record ? [[record.jobId, record] as const] : [])))
}

async function readProofs({ proof }: World): Promise<Map<string, string[]>> {
  const names = (await readdir(proof, { withFileTypes: true })).filter((entry) => entry.isFile())
  const files = names.map(async ({ name }) => {
    const text = await readFile(join(proof, name), 'utf8')
    return [name, text.split('\n').filter((line) => line !== '')] as const
  })
  return new Map(await Promise.all(files))
}

/** For whoever finds out what went wrong: the logs of controllers and tasks, all records, all tasks. */
async function keepEvidence(parts: Parts): Promise<string> {
  const { world, fleet, users, watch } = parts
  const folder = await mkdtemp(join(tmpdir(), 'chaos-evidence-'))
  const json = (name: string, content: unknown) =>
    writeFile(join(folder, name), `${JSON.stringify(content, null, 2)}\n`)
  for (const [index, { name, process }] of fleet.processes().entries()) {
    const lines = process.lines().map((line) => JSON.stringify(line))
    const file = `controller-${String(index).padStart(2, '0')}-${name}-${process.pid}.jsonl`
    await writeFile(join(folder, file), `${lines.join('\n')}\n${process.errors()}`)
  }
  await json('records.json', Object.fromEntries(await recordsOf({ users })))
  await json('tasks.json', await world.aws.control('GET', '/ecs/tasks'))
  await json('claims.json', watch.grants)
  await json(
    'departures.json',
    fleet.departures.map(({ process, ...rest }) => ({ ...rest, pid: process.pid })),
  )
  await cp(join(world.dataDir, 'ecs', 'logs'), join(folder, 'task-logs'), { recursive: true }).catch(
    () => undefined,
  )
  return folder
}
