import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openObject } from '../../bench/media-object.ts'
import { makeSource, ways } from '../../bench/media-ways.ts'
import { transcodeParamsSchema } from '../../schemas/kinds/transcode.ts'
import { planTranscode } from '../../worker/media/command.ts'
import { admitInput } from '../../worker/media/gate.ts'
import { inputLimits } from '../../worker/media/limits.ts'
import { npmMediaTools } from '../support/clips.ts'

let scratch: string
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'bench-'))
})
afterAll(() => rm(scratch, { recursive: true, force: true }))

describe('the benchmark of media work', () => {
  test('reads the source of shards as their tasks do: by ranges of an object, anew for each', async () => {
    const tools = await npmMediaTools(scratch)
    const { signal } = new AbortController()
    const input = join(scratch, 'source.mp4')
    await makeSource(tools, input, { seconds: 6, height: 180 })
    const object = await openObject(input)
    const source = await admitInput(input, { tools, limits: inputLimits, signal })
    const params = transcodeParamsSchema.parse({ shardSeconds: 2, shardThreshold: 86_400 })
    const plan = planTranscode(source, params, tools.toneMaps)
    let [looks, ranges] = [0, 0]
    const storage: typeof object.storage = {
      ...object.storage,
      inspect: (...asked) => {
        looks += 1
        return object.storage.inspect(...asked)
      },
      openRange: (...asked) => {
        ranges += 1
        return object.storage.openRange(...asked)
      },
    }
    // There is no copy for whoever reads from a disk.
    const bench = {
      tools,
      signal,
      scratch,
      input: '/nowhere',
      object: { ...object, storage },
      source,
      params,
      plan,
    }
    const folder = await mkdtemp(join(scratch, 'shards-'))
    await ways.shards(bench, folder, (piece) => piece())
    expect(await readdir(folder)).toEqual(
      expect.arrayContaining(['shard-2.mp4', 'sound.mp4', '180p', 'audio']),
    )
    // The timeline, three shards and the sound.
    expect(looks).toBe(5)
    expect(ranges).toBeGreaterThanOrEqual(5)
    await object.close()
  })
})
