import type { ManifestFile } from '../../schemas/manifest.ts'
import { manifestName } from '../../schemas/resources.ts'
import type { LocalFile, Transcoded } from '../media/finish.ts'
import { masterName, metadataName, posterName } from '../media/output-names.ts'
import type { Finished, Work } from './handler.ts'
import { inParallel } from './in-parallel.ts'

/**
 * Uploads a finished transcode and says what the record keeps of it.
 * @param onProgress called with the share of the files that are uploaded
 */
export const publishTranscode = async (
  work: Work,
  transcoded: Transcoded,
  onProgress: (share: number) => void,
): Promise<Finished> => {
  const files = await uploadAll(work, transcoded.files, onProgress)
  return { files, result: summaryFor(work.settings.output, transcoded, files) }
}

/** Segments first, what names them after them: a player that follows never meets a hole. */
const uploadAll = async (
  { storage, settings, signal }: Work,
  files: readonly LocalFile[],
  onProgress: (share: number) => void,
): Promise<ManifestFile[]> => {
  const parts = files.filter((file) => file.role !== 'playlist' && file.role !== 'master')
  const playlists = files.filter((file) => file.role === 'playlist')
  const masters = files.filter((file) => file.role === 'master')
  let done = 0
  const send = async ({ path, name, role }: LocalFile): Promise<ManifestFile> => {
    const file = await storage.upload(path, `${settings.output}${name}`, role, signal)
    done += 1
    onProgress(done / files.length)
    return file
  }
  return [
    ...(await inParallel(parts, send)),
    ...(await inParallel(playlists, send)),
    ...(await inParallel(masters, send)),
  ]
}

const summaryFor = (
  output: string,
  { metadata }: Transcoded,
  files: readonly ManifestFile[],
): Finished['result'] => ({
  manifest: `${output}${manifestName}`,
  master: `${output}${masterName}`,
  poster: `${output}${posterName}`,
  metadata: `${output}${metadataName}`,
  durationS: metadata.durationS,
  renditions: metadata.renditions.map((rendition) => rendition.name),
  ...(metadata.storyboard === null ? {} : { storyboard: `${output}${metadata.storyboard.file}` }),
  ...(metadata.downloads.length === 0
    ? {}
    : { downloads: metadata.downloads.map(({ file }) => `${output}${file}`) }),
  files: files.length,
  bytes: files.reduce((sum, file) => sum + file.bytes, 0),
  warnings: metadata.warnings.length,
})
