import { WorkerError } from '../errors.ts'
import type { Storage } from '../storage.ts'
import { parsePlaylist, type RecordedSegment, type RecordingState, renderPlaylist } from './playlist.ts'

export type PublisherOptions = {
  storage: Pick<Storage, 'readText' | 'replaceText'>
  key: string
  /** uid of the job. */
  owner: string
  segmentSeconds: number
  /** @throws WorkerError FENCED_OUT when the job is somebody else's by now */
  confirm: () => Promise<unknown>
  signal: AbortSignal
}

export type Publisher = {
  state: () => RecordingState
  /** What stands in the playlist. */
  text: () => string
  /**
   * Writes the playlist with one more segment, which has to be there already.
   * @param position where the source is by its end
   */
  append: (segment: RecordedSegment, position?: RecordingState['position']) => Promise<void>
  /** Writes that it is given up for now, because the source is silent. */
  fallSilent: () => Promise<void>
  /** Writes that no more will come. */
  end: (reason: NonNullable<RecordingState['end']>) => Promise<void>
}

/** How often another one may come first. A task that is fenced out gets at most one write in between. */
const tries = 5

/**
 * The playlist of a recording, which several tasks may write one after the other. Each write is on condition that it is still
 * the one that was read or written last; a task that finds another one asks whether the job is still its own before it
 * goes on. So a task that was replaced cannot undo what its successor wrote, and what it wrote last is not lost either.
 */
export const openPublisher = async (options: PublisherOptions): Promise<Publisher> => {
  const { storage, key, owner, segmentSeconds, confirm, signal } = options
  const read = async () => {
    const stored = await storage.readText(key, signal)
    const parsed = stored && parsePlaylist(stored.text)
    return { stored, state: parsed?.owner === owner ? parsed : undefined }
  }
  const found = await read()
  let etag = found.stored?.etag
  // An earlier end is none when the job goes on: somebody asked for it again.
  let state: RecordingState = { owner, segments: [], ...found.state, end: undefined }

  const write = async (change: (state: RecordingState) => RecordingState): Promise<void> => {
    for (let left = tries; left > 0; left -= 1) {
      const next = change(state)
      const text = renderPlaylist(next, segmentSeconds)
      const written = await storage.replaceText(text, key, etag, signal)
      if (written !== undefined) {
        etag = written
        state = next
        return
      }
      await confirm()
      const other = await read()
      etag = other.stored?.etag
      if (other.stored?.text === text) {
        // It was our own write, whose answer got lost.
        state = next
        return
      }
      state = { ...(other.state ?? state), end: undefined }
    }
    throw new WorkerError('STORAGE_UNAVAILABLE', `${key} was written by somebody else ${tries} times`)
  }
  return {
    state: () => state,
    text: () => renderPlaylist(state, segmentSeconds),
    append: (segment, position) =>
      write((before) => ({
        ...before,
        position,
        isSilent: false,
        segments: [...before.segments.filter(({ name }) => name !== segment.name), segment],
      })),
    fallSilent: () => write((before) => ({ ...before, isSilent: true })),
    end: (reason) => write((before) => ({ ...before, end: reason })),
  }
}
