import { container } from './container.ts'
import type { Kind } from './kind.ts'
import { transcode } from './transcode.ts'

export type { Kind } from './kind.ts'

export const kinds = { transcode, container } as const satisfies Record<string, Kind>

export type KindName = keyof typeof kinds

export const kindNames = Object.keys(kinds) as [KindName, ...KindName[]]

export const isKindName = (name: string): name is KindName => Object.hasOwn(kinds, name)
