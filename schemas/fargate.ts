/**
 * The task sizes that Fargate has. CPU counts in units (1,024 are one vCPU), memory in MiB, storage in GiB.
 * Source: AWS ECS API reference, RegisterTaskDefinition (`cpu`, `memory`, `ephemeralStorage`).
 */

export type FargateSize = { cpu: number; memoryMiB: number }

/** What a task definition asks for without a word is the first (ECS API reference, RuntimePlatform). */
export const architectures = ['x86_64', 'arm64'] as const
export type Architecture = (typeof architectures)[number]

/** Every size, smallest CPU first, and within one CPU tier smallest memory first. */
export const fargateTiers: readonly { readonly cpu: number; readonly memoryMiB: readonly number[] }[] = [
  { cpu: 256, memoryMiB: [512, 1_024, 2_048] },
  { cpu: 512, memoryMiB: steps(1_024, 4_096, 1_024) },
  { cpu: 1_024, memoryMiB: steps(2_048, 8_192, 1_024) },
  { cpu: 2_048, memoryMiB: steps(4_096, 16_384, 1_024) },
  { cpu: 4_096, memoryMiB: steps(8_192, 30_720, 1_024) },
  { cpu: 8_192, memoryMiB: steps(16_384, 61_440, 4_096) },
  { cpu: 16_384, memoryMiB: steps(32_768, 122_880, 8_192) },
  { cpu: 32_768, memoryMiB: [61_440, 122_880, 249_856] },
]

/** A task gets `defaultGiB` unless it asks for more; what it may ask for starts one above. */
export const fargateEphemeralStorage = { defaultGiB: 20, minGiB: 21, maxGiB: 200 } as const

/** Whether Fargate runs tasks of exactly this size. */
export function isFargateSize(cpu: number, memoryMiB: number): boolean {
  return fargateTiers.some((tier) => tier.cpu === cpu && tier.memoryMiB.includes(memoryMiB))
}

/**
 * The size for somebody who names only CPU or only memory: what was named stays, and the rest is as near to `preset` as
 * Fargate allows. What no size has is left as it is, for `isFargateSize` to refuse.
 *
 * `sizeNear({ cpu: 512, memoryMiB: 1_024 }, { memoryMiB: 8_192 })` is `{ cpu: 1_024, memoryMiB: 8_192 }`.
 */
export function sizeNear(
  preset: FargateSize,
  named: { [Part in keyof FargateSize]?: number | undefined },
): FargateSize {
  const { memoryMiB } = named
  const cpu = named.cpu ?? (memoryMiB === undefined ? preset.cpu : cpuWith(memoryMiB, preset.cpu))
  return { cpu, memoryMiB: memoryMiB ?? memoryWith(cpu, preset.memoryMiB) }
}

const cpuWith = (memoryMiB: number, leastCpu: number): number =>
  fargateTiers.find((tier) => tier.cpu >= leastCpu && tier.memoryMiB.includes(memoryMiB))?.cpu ?? leastCpu

function memoryWith(cpu: number, wantedMiB: number): number {
  const sizes = fargateTiers.find((tier) => tier.cpu === cpu)?.memoryMiB ?? []
  return sizes.find((memoryMiB) => memoryMiB >= wantedMiB) ?? sizes.at(-1) ?? wantedMiB
}

/**
 * The next size with more memory, for a task that ran out of it: the same CPU as long as its tier goes on, then the next
 * tier that has more. `undefined` when every larger size is above `maxMemoryMiB`.
 *
 * `nextLargerMemory(256, 2_048, 8_192)` is `{ cpu: 512, memoryMiB: 3_072 }`.
 */
export function nextLargerMemory(
  cpu: number,
  memoryMiB: number,
  maxMemoryMiB: number,
): FargateSize | undefined {
  for (const tier of fargateTiers) {
    if (tier.cpu < cpu) continue
    const larger = tier.memoryMiB.find((memory) => memory > memoryMiB)
    if (larger !== undefined) {
      return larger <= maxMemoryMiB ? { cpu: tier.cpu, memoryMiB: larger } : undefined
    }
  }
  return undefined
}

function steps(first: number, last: number, step: number): number[] {
  return Array.from({ length: (last - first) / step + 1 }, (_, index) => first + index * step)
}
