import { describe, expect, test } from 'vitest'
import { createWorld, type World } from './world.ts'

// The beginning of a leadership, by real controllers over models that refuse some calls.

/** A world without faults of its own. */
const calm = (): { world: World; lines: string[]; pass: (ms: number) => Promise<void> } => {
  const lines: string[] = []
  const world = createWorld(3, (line) => lines.push(line))
  world.heal()
  const { scheduler } = world
  return { world, lines, pass: (ms) => scheduler.run(scheduler.nowMs() + ms) }
}

/** Calls of this name fail for the first so many times. */
const failing = (world: World, service: 'dynamo' | 'ecs', name: string, times: number): (() => number) => {
  const model = world[service]
  const execute = model.execute.bind(model)
  let left = times
  Object.assign(model, {
    execute(command: Parameters<typeof execute>[0]) {
      if (left > 0 && command.constructor.name === name) {
        left -= 1
        throw Object.assign(new Error('planted'), { name: 'InternalServerError' })
      }
      return execute(command)
    },
  })
  return () => left
}

describe('a leader that begins', () => {
  test.each([
    ['dynamo', 'QueryCommand'],
    ['ecs', 'ListTasksCommand'],
  ] as const)('asks %s again for a %s that fails, and keeps its term', async (service, name) => {
    const { world, lines, pass } = calm()
    const left = failing(world, service, name, 3)
    const controller = world.startController()
    await pass(180_000)
    expect(left()).toBe(0)
    expect(controller.leader()).toBeDefined()
    expect(lines.filter((line) => line.includes('leads, term'))).toHaveLength(1)
    expect(lines.filter((line) => line.includes('cannot see yet what lives')).length).toBeGreaterThan(0)
  })

  test('is named once by the one who waits for it, with the time after which that one leads itself', async () => {
    const { world, lines, pass } = calm()
    world.startController()
    await pass(60_000)
    world.startController()
    await pass(600_000)
    const waiting = lines.filter((line) => line.includes('stands by'))
    expect(waiting).toHaveLength(1)
    expect(waiting[0]).toMatch(/controller-1 leads; leads itself after \d+(\.\d+)? s without a sign of it/)
  })
})
