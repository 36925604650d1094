import { readFileSync } from 'node:fs'
import { type Runnable, runContainer } from './container.ts'

/**
 * What the local ECS starts instead of the worker's sources: the image, with the environment of the task. `run-task.ts FILE`,
 * where FILE holds the image as JSON.
 */
const [file = ''] = process.argv.slice(2)
const image = JSON.parse(readFileSync(file, 'utf8')) as Runnable
/** What ECS gives a container; the rest is of this machine. */
const given = /^(JOB_ID|FENCE|JOBS_TABLE|OUTPUTS_BUCKET|S3_|AWS_|ECS_)/
const environment = Object.fromEntries(
  Object.entries(process.env).flatMap(([name, value]) =>
    given.test(name) && value !== undefined ? [[name, value]] : [],
  ),
)
const child = runContainer(image, environment, { stdio: 'inherit' })
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => child.kill(signal))
child.on('close', (code) => process.exit(code ?? 1))
