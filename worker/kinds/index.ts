import type { KindHandler } from './handler.ts'

/** The kinds that our worker carries out; loaded when needed, so that a task starts quickly. */
export const handlers: Record<string, () => Promise<KindHandler>> = {
  seed: async () => (await import('./seed.ts')).seed,
  torrent: async () => (await import('./torrent.ts')).torrent,
  record: async () => (await import('./record.ts')).record,
  transcode: async () => (await import('./transcode.ts')).transcode,
  audio: async () => (await import('./audio.ts')).audio,
  'extract-audio': async () => (await import('./extract-audio.ts')).extractAudio,
  'publish-subtitles': async () => (await import('./publish-subtitles.ts')).publishSubtitles,
  'find-scenes': async () => (await import('./find-scenes.ts')).findScenes,
  summarize: async () => (await import('./summarize.ts')).summarize,
  'encode-shard': async () => (await import('./encode-shard.ts')).encodeShard,
  'encode-sound': async () => (await import('./encode-sound.ts')).encodeSound,
  stitch: async () => (await import('./stitch.ts')).stitch,
}
