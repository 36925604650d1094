import { z } from 'zod'
import { type AudioTags, audioTagNames } from '../../schemas/audio-metadata.ts'
import type { MediaTools } from '../ffmpeg.ts'
import { probeTimeoutMs } from '../media/limits.ts'
import { type MediaInput, probeArguments } from '../media/probe.ts'
import { runFfprobe } from '../media/run-ffprobe.ts'

const mostCharacters = 500

/**
 * What an input says about itself. An input that cannot be asked says nothing: that is found out elsewhere.
 * @param index of the stream whose tags count beside those of the file
 * @throws WorkerError STALLED: an input that is only slow to read does not lose its tags
 */
export const readTags = async (
  input: MediaInput,
  index: number,
  { tools, signal }: { tools: MediaTools; signal: AbortSignal },
): Promise<AudioTags> => {
  let answer = ''
  const end = await runFfprobe(tagsArguments(input, index), {
    ...{ tools, signal, stallMs: probeTimeoutMs },
    onLine: (line) => {
      if (answer.length < 1024 ** 2) answer += line
    },
  })
  return end.exitCode === 0 ? parseTags(answer) : {}
}

/** Pure. */
export const tagsArguments = (input: MediaInput, index: number): string[] => {
  const select = ['-select_streams', String(index)]
  return probeArguments(input, [...select, '-show_entries', 'format_tags:stream_tags', '-of', 'json'])
}

const saidSchema = z.object({
  format: z.object({ tags: z.record(z.string(), z.unknown()).default({}) }).default({ tags: {} }),
  streams: z.array(z.object({ tags: z.record(z.string(), z.unknown()).default({}) })).default([]),
})

/**
 * The tags that outputs keep: what a listener wants to see. Everything else stays behind, because phones write down where
 * they are, and programs whom they belong to. Pure.
 * @param json what ffprobe says; Ogg has its tags at the stream
 */
export const parseTags = (json: string): AudioTags => {
  const said = saidSchema.safeParse(parsed(json))
  if (!said.success) return {}
  const { format, streams } = said.data
  const given = Object.entries({ ...streams[0]?.tags, ...format.tags }).map(
    ([name, value]) => [name.toLowerCase(), value] as const,
  )
  return Object.fromEntries(
    audioTagNames.flatMap((name) => {
      const value = cleaned(given.find(([key]) => key === name)?.[1])
      return value === '' ? [] : [[name, value]]
    }),
  )
}

const parsed = (json: string): unknown => {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

const cleaned = (value: unknown): string =>
  (typeof value === 'string' ? value : '')
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, mostCharacters)
    // Cut in the middle of a pair, the rest is no character.
    .replace(/\p{Cs}$/u, '')
