import type { KindHandler } from './handler.ts'

/** The kinds that our worker carries out; loaded when needed, so that a task starts quickly. */
export const handlers: Record<string, () => Promise<KindHandler>> = {
  transcode: async () => (await import('./transcode.ts')).transcode,
}
