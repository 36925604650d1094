import { main } from '../controller/main.ts'
import { loadConfiguration } from '../schemas/read-configuration.ts'
import { localController, useLocalCredentials } from './system.ts'

/** `npm run controller`: the controller alone, against the local AWS that `npm run local` runs. */
const configuration = loadConfiguration()
if (configuration.AWS_ENDPOINT_URL === undefined) {
  useLocalCredentials()
  await main(localController(configuration, `http://127.0.0.1:${configuration.LOCAL_AWS_PORT}`))
} else await main(configuration)
