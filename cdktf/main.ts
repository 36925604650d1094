import { App } from 'cdktf'
import { readConfig } from './config.ts'
import { OperatorStack } from './stack.ts'

/** `cdktf deploy` runs this and deploys what it writes. */
const read = readConfig(process.env)
if (read.ok) {
  const app = new App()
  new OperatorStack(app, read.config)
  app.synth()
} else {
  for (const problem of read.problems) process.stderr.write(`${problem}\n`)
  process.exitCode = 78
}
