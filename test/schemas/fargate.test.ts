import { describe, expect, test } from 'vitest'
import { fargateTiers, isFargateSize, nextLargerMemory } from '../../schemas/fargate.ts'

describe('isFargateSize', () => {
  test.for([
    [256, 512, true],
    [256, 1_024, true],
    [256, 2_048, true],
    [256, 3_072, false],
    [256, 256, false],
    [512, 512, false],
    [512, 1_024, true],
    [512, 4_096, true],
    [512, 5_120, false],
    [1_024, 1_024, false],
    [1_024, 2_048, true],
    [1_024, 2_049, false],
    [1_024, 8_192, true],
    [1_024, 9_216, false],
    [2_048, 3_072, false],
    [2_048, 4_096, true],
    [2_048, 16_384, true],
    [4_096, 8_192, true],
    [4_096, 30_720, true],
    [4_096, 31_744, false],
    [8_192, 16_384, true],
    [8_192, 17_408, false],
    [8_192, 20_480, true],
    [8_192, 61_440, true],
    [16_384, 32_768, true],
    [16_384, 36_864, false],
    [16_384, 122_880, true],
    [32_768, 61_440, true],
    [32_768, 65_536, false],
    [32_768, 249_856, true],
    [128, 512, false],
    [768, 2_048, false],
  ] as const)('%i units with %i MiB: %s', ([cpu, memoryMiB, is]) => {
    expect(isFargateSize(cpu, memoryMiB)).toBe(is)
  })
})

describe('nextLargerMemory', () => {
  test.for([
    ['the same CPU first', 256, 512, 30_720, { cpu: 256, memoryMiB: 1_024 }],
    ['the next tier when its own ends', 256, 2_048, 30_720, { cpu: 512, memoryMiB: 3_072 }],
    ['a step of the tier above', 4_096, 30_720, 61_440, { cpu: 8_192, memoryMiB: 32_768 }],
    ['the uneven last tier', 32_768, 61_440, 249_856, { cpu: 32_768, memoryMiB: 122_880 }],
    ['exactly up to the limit', 1_024, 2_048, 3_072, { cpu: 1_024, memoryMiB: 3_072 }],
    ['nothing above the limit', 1_024, 2_048, 3_071, undefined],
    ['nothing above the largest size', 32_768, 249_856, 999_999, undefined],
    ['from a size Fargate does not have', 300, 700, 30_720, { cpu: 512, memoryMiB: 1_024 }],
  ] as const)('%s', ([, cpu, memoryMiB, maxMemoryMiB, next]) => {
    expect(nextLargerMemory(cpu, memoryMiB, maxMemoryMiB)).toEqual(next)
  })

  test('every step from every size is a size again, with more memory and no less CPU', () => {
    for (const { cpu, memoryMiB } of fargateTiers) {
      for (const memory of memoryMiB) {
        const next = nextLargerMemory(cpu, memory, Number.POSITIVE_INFINITY)
        if (next === undefined) continue
        expect(isFargateSize(next.cpu, next.memoryMiB)).toBe(true)
        expect(next.memoryMiB).toBeGreaterThan(memory)
        expect(next.cpu).toBeGreaterThanOrEqual(cpu)
      }
    }
  })
})
