import { App } from 'cdktf'
import { readConfig } from './config.ts'
import { OperatorStack } from './stack.ts'

// cdktf is archived: what newer versions of Node say about its code, nobody will mend.
process.noDeprecation = true

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
