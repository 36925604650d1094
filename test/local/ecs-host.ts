import { createEcs, ecsSettingsSchema } from '../../local/ecs/index.ts'
import { container, quickTimeline, runInput, silentLog, worker } from './ecs-setup.ts'

/**
 * A local ECS in a process of its own, to be killed: `ecs-host.ts <data folder> <shell script>` runs one task with the
 * script and prints its ARN.
 */
const [dataDir = '', script = ''] = process.argv.slice(2)
const ecs = await createEcs({
  dataDir,
  region: 'eu-central-1',
  accountId: '000000000000',
  baseUrl: () => 'http://127.0.0.1:1',
  taskEnvironment: () => ({ PATH: process.env.PATH ?? '' }),
  settings: ecsSettingsSchema.parse({ timeline: quickTimeline }),
  emitEvent: async () => {},
  log: silentLog,
})
await ecs.call('CreateCluster', { clusterName: 'jobs', capacityProviders: ['FARGATE'] })
await ecs.call('RegisterTaskDefinition', worker({ containerDefinitions: [container(script)] }))
const answer = await ecs.call('RunTask', { ...runInput(), clientToken: 'token' })
process.stdout.write(`${JSON.stringify(answer)}\n`)
