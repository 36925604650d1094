import { manifestSchema } from '../../schemas/manifest.ts'
import { problemsOf, summaryOf } from '../../schemas/problems.ts'
import { manifestName } from '../../schemas/resources.ts'
import type { Input } from '../../schemas/spec.ts'
import { WorkerError } from '../errors.ts'
import type { Work } from '../kinds/handler.ts'
import { readObject } from '../kinds/parts.ts'
import { problemOfName, problemOfPaths, type TorrentFile } from './metainfo.ts'

/** A file of the torrent, and where its bytes come from. */
export type SourceFile = TorrentFile & { input: Input; sha256?: string }

export type Source = {
  /** Of the file, or of the folder with the files. */
  name: string
  files: readonly SourceFile[]
  /** The key that was named: of the object, or of the manifest. */
  key: string
  input: Input
}

/** The key of what a job has made, with the folder that its files are in. */
const manifestKey = new RegExp(`(^|/)(?<folder>[^/]+)/${manifestName.replace('.', '\\.')}$`)

export const isManifest = ({ bucket, key }: Input, outputsBucket: string): boolean =>
  bucket === outputsBucket && manifestKey.test(key ?? '')

/**
 * What the torrent is made of: the object itself; or, where it is the manifest of a job, all files that stand in it, as one folder. In the order of their keys, so
 * that the same files give the same torrent.
 * @throws WorkerError like `Storage.inspect`, INPUT_EMPTY, INPUT_FORMAT_REFUSED
 */
export const sourceOf = async (work: Work): Promise<Source> => {
  const { input } = work.settings
  if (input?.bucket === undefined || input.key === undefined)
    throw new WorkerError('RECORD_INVALID', 'settings.input must have bucket and key')
  return isManifest(input, work.environment.OUTPUTS_BUCKET)
    ? folderOf(work, { ...input, bucket: input.bucket, key: input.key })
    : objectOf(work, { ...input, key: input.key })
}

const objectOf = async (work: Work, input: Input & { key: string }): Promise<Source> => {
  const name = named(input.key.split('/').at(-1) ?? '')
  const { bytes, etag } = await work.storage.inspect(input, work.signal)
  if (bytes === 0) throw new WorkerError('INPUT_EMPTY', 'there is nothing in it that a torrent could be of')
  const seen = { ...input, ...(etag === undefined ? {} : { etag }) }
  return { key: input.key, input: seen, name, files: [{ path: [], bytes, input: seen }] }
}

const folderOf = async (work: Work, input: Input & { bucket: string; key: string }): Promise<Source> => {
  const { etag } = await work.storage.inspect(input, work.signal)
  const manifest = readManifest(await readObject(work, input))
  const folder = input.key.slice(0, -manifestName.length)
  const files = [...manifest.files]
    .sort((one, other) => Buffer.compare(Buffer.from(one.key), Buffer.from(other.key)))
    // A file of nothing has no bytes that anybody could be missing, and clients differ about them.
    .filter(({ bytes }) => bytes > 0)
    .map(({ key, bytes, sha256 }): SourceFile => {
      if (!key.startsWith(folder))
        throw new WorkerError('INPUT_FORMAT_REFUSED', `${key} does not lie beside its manifest ${input.key}`)
      const path = key.slice(folder.length).split('/').map(named)
      return { path, bytes, sha256, input: { bucket: input.bucket, key } }
    })
  if (files.length === 0) throw new WorkerError('INPUT_EMPTY', `no file stands in the manifest ${input.key}`)
  const problem = problemOfPaths(files)
  if (problem !== undefined) throw new WorkerError('INPUT_FORMAT_REFUSED', problem)
  const name = named(manifestKey.exec(input.key)?.groups?.folder ?? '')
  return { key: input.key, input: { ...input, ...(etag === undefined ? {} : { etag }) }, name, files }
}

const readManifest = (text: string) => {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new WorkerError('INPUT_FORMAT_REFUSED', 'the manifest is not JSON', error)
  }
  const parsed = manifestSchema.safeParse(json)
  if (parsed.success) return parsed.data
  throw new WorkerError(
    'INPUT_FORMAT_REFUSED',
    `it is no manifest: ${summaryOf(problemsOf(parsed.error, json))}`,
  )
}

const named = (name: string): string => {
  const problem = problemOfName(name)
  if (problem !== undefined) throw new WorkerError('INPUT_FORMAT_REFUSED', problem)
  return name
}
