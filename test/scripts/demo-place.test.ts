import { createServer, type Server } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { configurationSchema } from '../../schemas/configuration.ts'
import { placeBesideOthers } from '../../scripts/demo-place.ts'

let other: Server
let port: number

beforeEach(async () => {
  other = createServer()
  await new Promise<void>((listening) => other.listen(0, '127.0.0.1', listening))
  const address = other.address()
  if (address === null || typeof address === 'string') throw new Error('it listens to no port')
  port = address.port
})
afterEach(() => new Promise<void>((closed) => other.close(() => closed())))

const place = { ...configurationSchema.parse({}), PORT: 0, LOCAL_AWS_PORT: 0, LOCAL_DATA_DIR: '.local/' }

test('a demo that is alone uses the ports and the data of the system', async () => {
  expect(await placeBesideOthers(place)).toEqual(place)
})

test('beside a local AWS that runs already, a demo has another port and data of its own', async () => {
  expect(await placeBesideOthers({ ...place, LOCAL_AWS_PORT: port })).toEqual({
    ...place,
    LOCAL_AWS_PORT: 0,
    LOCAL_DATA_DIR: '.local/beside',
  })
})

test('a taken port of the page alone moves the page, and not the data', async () => {
  expect(await placeBesideOthers({ ...place, PORT: port })).toEqual(place)
})
