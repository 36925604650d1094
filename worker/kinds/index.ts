import type { KindHandler } from './handler.ts'

/** The kinds that our worker carries out; loaded when needed, so that a task starts quickly. */
export const handlers: Record<string, () => Promise<KindHandler>> = {
  transcode: async () => (await import('./transcode.ts')).transcode,
  'extract-audio': async () => (await import('./extract-audio.ts')).extractAudio,
  'publish-subtitles': async () => (await import('./publish-subtitles.ts')).publishSubtitles,
  'find-scenes': async () => (await import('./find-scenes.ts')).findScenes,
  summarize: async () => (await import('./summarize.ts')).summarize,
}
