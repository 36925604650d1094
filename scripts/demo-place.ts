import { createServer } from 'node:net'
import { join } from 'node:path'
import type { Configuration } from '../schemas/configuration.ts'

/** Where the demo works: beside whatever runs on this machine already, with ports and data of its own. */
export async function placeBesideOthers(configuration: Configuration): Promise<Configuration> {
  const { PORT, LOCAL_AWS_PORT, LOCAL_DATA_DIR } = configuration
  const isAlone = await isFree(LOCAL_AWS_PORT)
  return {
    ...configuration,
    PORT: (await isFree(PORT)) ? PORT : 0,
    LOCAL_AWS_PORT: isAlone ? LOCAL_AWS_PORT : 0,
    // Whoever has that port is most likely `npm start`, which has the data too, and two cannot work in one directory.
    LOCAL_DATA_DIR: isAlone ? LOCAL_DATA_DIR : join(LOCAL_DATA_DIR, 'beside'),
  }
}

const isFree = (port: number): Promise<boolean> =>
  new Promise((answer) => {
    const server = createServer()
    server.once('error', () => answer(false))
    server.listen(port, '127.0.0.1', () => server.close(() => answer(true)))
  })
