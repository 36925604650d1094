import { main } from '../../controller/main.ts'
import { loadConfiguration } from '../../schemas/read-configuration.ts'

/** The real controller as a process; only the minute between two lines of metrics is shorter. */
await main(loadConfiguration(), { emfPeriodMs: 300 })
