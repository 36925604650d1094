import { parseArgs } from 'node:util'
import { type Condition, conditions, isCondition, type Setting } from './conditions.ts'
import { numbered } from './print.ts'
import { search } from './search.ts'

const usage = `npx tsx test/model/main.ts [options]
  --controllers 1|2   (1)     --faults N    faults of all sorts together (2)
  --kind transcode|container  --cancels N --suspends N --retries N (1, 0, 0)  --deadline --pauses
  --attempts N (1)  --infra N (1)            limits of the job
  --without CONDITION[,CONDITION]            take conditions away
  --states N (3000000)  --depth N            stop there
Conditions:
${Object.entries(conditions)
  .map(([name, what]) => `  ${name.padEnd(18)} ${what}`)
  .join('\n')}
`

const { values } = parseArgs({
  options: {
    help: { type: 'boolean' },
    controllers: { type: 'string', default: '1' },
    kind: { type: 'string', default: 'transcode' },
    faults: { type: 'string', default: '2' },
    cancels: { type: 'string', default: '1' },
    suspends: { type: 'string', default: '0' },
    retries: { type: 'string', default: '0' },
    deadline: { type: 'boolean', default: false },
    pauses: { type: 'boolean', default: false },
    attempts: { type: 'string', default: '1' },
    infra: { type: 'string', default: '1' },
    without: { type: 'string', default: '' },
    states: { type: 'string', default: '3000000' },
    depth: { type: 'string', default: '1000' },
  },
})

const say = (text: string): boolean => process.stdout.write(`${text}\n`)

if (values.help) say(usage)
else process.exitCode = await run()

async function run(): Promise<number> {
  const names = values.without.split(',').filter((name) => name !== '')
  const wrong = names.find((name) => !isCondition(name))
  if (wrong !== undefined) {
    say(`There is no condition ${wrong}.\n${usage}`)
    return 2
  }
  const setting: Setting = {
    kind: values.kind === 'container' ? 'container' : 'transcode',
    controllers: values.controllers === '2' ? 2 : 1,
    faults: Number(values.faults),
    cancels: Number(values.cancels),
    suspends: Number(values.suspends),
    retries: Number(values.retries),
    deadline: values.deadline,
    pauses: values.pauses,
    attempts: Number(values.attempts),
    infrastructureAttempts: Number(values.infra),
    without: new Set(names as Condition[]),
  }
  const result = await search(setting, {
    states: Number(values.states),
    depth: Number(values.depth),
    checkConvergence: names.length === 0,
  })
  const rate = Math.round(result.states / result.seconds)
  say(
    `${result.states} states, depth ${result.depth}, ${result.complete ? 'complete' : 'not exhausted'}, ` +
      `${result.seconds.toFixed(1)} s, ${rate} states/s`,
  )
  for (const found of [result.violation, result.stuck?.first])
    if (found) say(`\n${found.broken}\n${numbered(found.steps)}`)
  if (result.stuck) say(`\n${result.stuck.count} such states`)
  return result.violation || result.stuck ? 1 : 0
}
