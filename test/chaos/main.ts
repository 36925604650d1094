import { readOptions, usage } from './options.ts'
import { runChaos } from './run.ts'

/** Real processes, real signals, real ffmpeg, and an AWS that does everything wrong that it may. Exit 1: something broke. */
// The SDK announces on every start what it will need in 2027; whoever runs this can do nothing about it.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'

const say = (text: string): void => void process.stdout.write(`${text}\n`)

try {
  const options = readOptions(process.argv.slice(2))
  const complaints = await runChaos(options, say)
  if (complaints.length > 0) {
    say(`\nWRONG, ${complaints.length} times (replay: npm run test:chaos -- --seed ${options.seed}):`)
    for (const complaint of complaints) say(`  - ${complaint}`)
    process.exit(1)
  }
  say('\nAll of it is as it has to be.')
  process.exit(0)
} catch (error) {
  say(error instanceof Error ? (error.stack ?? error.message) : String(error))
  say(usage)
  process.exit(1)
}
