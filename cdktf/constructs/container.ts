import type { Architecture } from '../../schemas/fargate.ts'

/** The one place in a container that can be written to. Its owner is what the image says of this path. */
export const scratch = { volume: 'scratch', path: '/tmp' } as const

/** In the words of ECS. */
export const architectureNames = { x86_64: 'X86_64', arm64: 'ARM64' } as const satisfies Record<
  Architecture,
  string
>

/** Where every controller serves status and API. */
export const statusPort = 8080
