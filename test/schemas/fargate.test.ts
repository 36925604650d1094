import { describe, expect, test } from 'vitest'
import { fargateTiers, isFargateSize, nextLargerMemory, sizeNear } from '../../schemas/fargate.ts'
import { kinds } from '../../schemas/kinds/index.ts'

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

describe('sizeNear', () => {
  const preset = { cpu: 512, memoryMiB: 1_024 }
  test.for([
    ['nothing is named', preset, {}, preset],
    ['both are', preset, { cpu: 256, memoryMiB: 4_096 }, { cpu: 256, memoryMiB: 4_096 }],
    ['memory that the tier has', preset, { memoryMiB: 4_096 }, { cpu: 512, memoryMiB: 4_096 }],
    ['memory that only a larger tier has', preset, { memoryMiB: 5_120 }, { cpu: 1_024, memoryMiB: 5_120 }],
    ['memory of a far larger tier', preset, { memoryMiB: 122_880 }, { cpu: 16_384, memoryMiB: 122_880 }],
    ['memory below every size of the tier', preset, { memoryMiB: 512 }, { cpu: 512, memoryMiB: 512 }],
    ['memory that no tier has', preset, { memoryMiB: 1_500 }, { cpu: 512, memoryMiB: 1_500 }],
    ['CPU that has the memory', preset, { cpu: 256 }, { cpu: 256, memoryMiB: 1_024 }],
    ['CPU that needs more memory', preset, { cpu: 4_096 }, { cpu: 4_096, memoryMiB: 8_192 }],
    [
      'CPU that cannot have so much memory',
      { cpu: 2_048, memoryMiB: 4_096 },
      { cpu: 256 },
      { cpu: 256, memoryMiB: 2_048 },
    ],
    [
      'CPU between two steps',
      { cpu: 512, memoryMiB: 3_000 },
      { cpu: 1_024 },
      { cpu: 1_024, memoryMiB: 3_072 },
    ],
    ['CPU that Fargate does not have', preset, { cpu: 300 }, { cpu: 300, memoryMiB: 1_024 }],
  ] as const)('%s', ([, of, named, size]) => {
    expect(sizeNear(of, named)).toEqual(size)
  })
})

test.for(
  Object.entries(kinds).flatMap(([kind, { resources }]) =>
    resources.cpu === 0 ? [] : [[kind, resources] as const],
  ),
)('whatever memory or CPU alone is named, %s has a size', ([, { cpu, memory: memoryMiB }]) => {
  const tier = fargateTiers.find((one) => one.cpu === cpu)
  const named = fargateTiers.flatMap((one) => [
    { cpu: one.cpu },
    ...one.memoryMiB.filter((each) => each >= (tier?.memoryMiB[0] ?? 0)).map((each) => ({ memoryMiB: each })),
  ])
  expect(named.length).toBeGreaterThan(20)
  for (const one of named) {
    const size = sizeNear({ cpu, memoryMiB }, one)
    expect([size, isFargateSize(size.cpu, size.memoryMiB)]).toEqual([{ ...size, ...one }, true])
  }
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
