export type Place = { bucket: string; key: string }

/**
 * The object that a MediaFileUri means; undefined for an address that is not one of S3. A key in an `s3://` URI stands as it
 * is, one in an `https://` URI is percent-encoded.
 */
export function mediaPlace(uri: string): Place | undefined {
  const [, bucket, key] = /^s3:\/\/([^/]+)\/(.+)$/s.exec(uri) ?? []
  if (bucket !== undefined && key !== undefined) return { bucket, key }
  if (!URL.canParse(uri)) return undefined
  const { hostname, pathname } = new URL(uri)
  const path = decoded(pathname.slice(1))
  if (path === undefined) return undefined
  const [, host] = /^(.+)\.s3[.-][a-z0-9.-]*amazonaws\.com(?:\.cn)?$/.exec(hostname) ?? []
  if (host !== undefined) return path === '' ? undefined : { bucket: host, key: path }
  if (!/^s3[.-][a-z0-9.-]*amazonaws\.com(\.cn)?$/.test(hostname)) return undefined
  const slash = path.indexOf('/')
  return slash > 0 && slash < path.length - 1
    ? { bucket: path.slice(0, slash), key: path.slice(slash + 1) }
    : undefined
}

/** The key of the transcript: OutputKey itself if it ends with `.json`, else the name of the job under it. */
export function transcriptKey(jobName: string, outputKey: string | undefined): string {
  if (outputKey === undefined) return `${jobName}.json`
  if (outputKey.endsWith('.json')) return outputKey
  return `${outputKey}${outputKey.endsWith('/') ? '' : '/'}${jobName}.json`
}

/** The key that the service writes when a job starts, to see that it may: beside the transcript to come. */
export const accessCheckKey = (resultKey: string): string =>
  `${resultKey.slice(0, resultKey.lastIndexOf('/') + 1)}.write_access_check_file.temp`

export const subtitleKey = (resultKey: string, format: 'srt' | 'vtt'): string =>
  resultKey.replace(/\.json$/, `.${format}`)

/** Where a job without a bucket of its own leaves its transcript. */
export const serviceBucket = (region: string): string => `aws-transcribe-${region}-prod`

export const publicUri = (region: string, { bucket, key }: Place): string =>
  `https://s3.${region}.amazonaws.com/${bucket}/${key}`

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
