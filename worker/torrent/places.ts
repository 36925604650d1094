import { mkdir, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { WorkerError } from '../errors.ts'
import { problemOfName, problemOfPaths, type TorrentFile } from './metainfo.ts'

/**
 * Where the client looks for each file below its folder. Not under the names in the torrent: it has others for what some disks cannot have, on every
 * system (`a:b.wav` is `a_b.wav`), and how it comes to them differs from version to version. Pure.
 * @param names what the client calls the files, in the order of the torrent
 * @throws WorkerError TORRENT_INVALID if that leads out of the folder, or two to one place
 */
export const placesOf = (files: readonly TorrentFile[], names: readonly string[]): string[][] => {
  if (names.length !== files.length)
    throw new WorkerError('TORRENT_INVALID', `the client sees ${names.length} of its ${files.length} files`)
  const places = names.map((name) => name.split('/'))
  const problem =
    places
      .flat()
      .map(problemOfName)
      .find((wrong) => wrong !== undefined) ??
    problemOfPaths(files.map((file, index) => ({ ...file, path: places[index] ?? [] })))
  if (problem !== undefined)
    throw new WorkerError('TORRENT_INVALID', `as the client names its files: ${problem}`)
  return places
}

/** Where a file lies until the client has said where it looks for it: under its number in the torrent, which fits on every disk. */
export const broughtTo = (folder: string, index: number): string => join(folder, String(index))

/**
 * Puts what was brought where the client looks for it.
 * @param from where `broughtTo` has it
 * @param to of the client
 */
export const moveToPlaces = async (
  places: readonly (readonly string[])[],
  { from, to }: { from: string; to: string },
): Promise<void> => {
  for (const [index, place] of places.entries()) {
    const path = join(to, ...place)
    await mkdir(dirname(path), { recursive: true })
    await rename(broughtTo(from, index), path)
  }
}
