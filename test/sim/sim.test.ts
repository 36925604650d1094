import { describe, expect, test } from 'vitest'
import { simulate } from './simulate.ts'

// A taste of the simulation for every test run; `npm run sim -- --seeds 10000` is the whole meal.

describe('the simulation', () => {
  test('20 seeds: every invariant holds at every step, and everything ends', async () => {
    const failed: string[] = []
    let steps = 0
    for (let seed = 100_001; seed <= 100_020; seed += 1) {
      const run = await simulate(seed)
      steps += run.steps
      if (run.violation) failed.push(`${seed}: ${run.violation.invariant}: ${run.violation.message}`)
    }
    expect(failed).toEqual([])
    expect(steps).toBeGreaterThan(20 * 200)
  })

  test('the same seed is the same run, line by line', async () => {
    const told = async () => {
      const lines: string[] = []
      await simulate(100_007, (line) => lines.push(line))
      return lines
    }
    const lines = await told()
    expect(lines.length).toBeGreaterThan(200)
    expect(await told()).toEqual(lines)
  })
})
