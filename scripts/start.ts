import { loadConfiguration } from '../schemas/read-configuration.ts'
import { closeOnSignal, startSystem } from './system.ts'

/** `npm start`: the whole system on this machine, until Ctrl-C. */
const configuration = loadConfiguration()
const system = await startSystem(configuration, { quiet: false })
closeOnSignal(system.close)
process.stdout.write(`
  Status and API   ${system.controller.url}
  Local AWS        ${system.endpoint}   (keys: local / local, data in ${configuration.LOCAL_DATA_DIR})
  Try it           npm run demo   or upload a video on the status page

`)
