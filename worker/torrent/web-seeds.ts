import { manifestName } from '../../schemas/resources.ts'

/** What stands for itself in a URL (RFC 3986): S3 reads a + as a space, so everything else is written by its number. */
const encodePart = (part: string): string =>
  encodeURIComponent(part).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )

/** Where a file is by a web seed of the torrent: what a client asks for. */
export const addressOfFile = (seed: string, name: string, path: readonly string[]): string =>
  path.length === 0 && !seed.endsWith('/') ? seed : seed + [name, ...path].map(encodePart).join('/')

const encodeKey = (key: string): string => key.split('/').map(encodePart).join('/')

/**
 * Where the data of an object is, seen from a base. Of one file clients take the address as it is; of several they append the name of
 * the torrent and the path (BEP 19), so there it is that of the folder which the recording's folder is in.
 * @param base ends in /
 */
export const webSeedOf = (base: string, key: string, isSingleFile: boolean): string =>
  isSingleFile ? base + encodeKey(key) : base + encodeKey(aboveFolderOf(key))

/** `results/rec-1/manifest.json` is of the folder `rec-1`, which lies in `results/`. */
const aboveFolderOf = (manifestKey: string): string => {
  const folder = manifestKey.slice(0, -`/${manifestName}`.length)
  return folder.slice(0, folder.lastIndexOf('/') + 1)
}
