import { uploadJobId } from '../../schemas/ids.ts'
import { isKindName, isUploadKind, type KindName, kinds, userKinds } from '../../schemas/kinds/index.ts'
import { accessCheckFile, manifestKindMetadata, manifestName } from '../../schemas/resources.ts'
import type { Trigger } from '../../schemas/triggers.ts'

export type Upload = {
  bucket: string
  key: string
  etag: string | undefined
  versionId: string | undefined
  sequencer: string | undefined
  /** Absent where nobody said it. */
  bytes?: number | undefined
}

export type UploadRules = {
  /** What lies in there are results: no uploads, whatever their folders are called. Absent: nothing is told of them. */
  outputsBucket?: string
  /** The first that fits an upload decides what becomes of it. */
  triggers?: readonly Trigger[]
  /** Which kind an upload becomes when no trigger fits and its first folder names none. */
  defaultKind: KindName | undefined
  /** Whether EventBridge encodes the keys of objects like form values, as notifications do. Absent: plain. */
  eventBridgeKeys?: 'plain' | 'encoded'
}

export type UploadIgnoredBecause =
  | 'Output'
  | 'Folder'
  | 'AccessCheck'
  | 'Trigger'
  | 'OtherSuffix'
  | 'NoDefaultKind'

export type UploadSpec = {
  input: { bucket: string; key: string; etag?: string; versionId?: string; bytes?: number }
  params?: Record<string, unknown>
  queue?: string
  priority?: number
  afterSuccess?: 'keep' | 'delete'
}

export type UploadSubmission = {
  do: 'submit'
  jobId: string
  kind: string
  spec: UploadSpec
  sequencer: string | undefined
  upload: true
  /** Only if it is the manifest of a job of one of these kinds, which the object itself says. */
  ofKinds?: readonly string[]
}
export type UploadCommand = UploadSubmission | { do: 'ignore'; why: UploadIgnoredBecause }

type Wish = Trigger['jobs'][number]

/**
 * The jobs for a finished upload, or why there are none. A trigger decides; where none fits, the first folder of the key
 * may name the kind.
 */
export function uploadCommands(
  upload: Upload,
  rules: UploadRules,
): readonly [UploadCommand, ...UploadCommand[]] {
  if (upload.bucket === rules.outputsBucket) return outputCommands(upload, rules.triggers ?? [])
  const wishes = wishesFor(upload, rules)
  if (typeof wishes === 'string') return [{ do: 'ignore', why: wishes }]
  const [first, ...others] = wishes.map((wish) => commandOf(upload, wish))
  return first ? [first, ...others] : [{ do: 'ignore', why: 'Trigger' }]
}

/** The jobs for what another job has made. Of the rules that name its kind the first decides, and only the object knows its kind. */
function outputCommands(
  upload: Upload,
  triggers: readonly Trigger[],
): readonly [UploadCommand, ...UploadCommand[]] {
  // The etag pins it; an old version of an output is nothing that a worker may read.
  const manifest = { ...upload, versionId: undefined }
  const decided = new Set<string>()
  const [first, ...others] = triggers
    .filter(({ bucket, prefix }) => bucket === 'outputs' && upload.key.startsWith(prefix))
    .filter(() => upload.key.endsWith(`/${manifestName}`))
    .flatMap(({ kinds: named = [], jobs }) => {
      const ofKinds = named.filter((kind) => !decided.has(kind))
      for (const kind of ofKinds) decided.add(kind)
      return jobs.map((wish): UploadCommand => ({ ...commandOf(manifest, wish), ofKinds }))
    })
  return first ? [first, ...others] : [{ do: 'ignore', why: 'Output' }]
}

/**
 * Whether a submission is for such an object. Of an upload every one is right; a manifest says the kind of its job.
 * @param metadata of the object, without `x-amz-meta-`
 */
export const isMeant = (
  { ofKinds }: UploadSubmission,
  { metadata }: { metadata: Readonly<Record<string, string | undefined>> },
): boolean => ofKinds === undefined || ofKinds.includes(metadata[manifestKindMetadata] ?? '')

function wishesFor(upload: Upload, rules: UploadRules): readonly Wish[] | UploadIgnoredBecause {
  const { key } = upload
  if (key.endsWith('/')) return 'Folder'
  if (key.split('/').at(-1) === accessCheckFile) return 'AccessCheck'
  const trigger = rules.triggers?.find(
    (candidate) => candidate.bucket !== 'outputs' && fits(candidate, upload),
  )
  if (trigger) return trigger.jobs
  const folder = key.includes('/') ? (key.split('/')[0] ?? '') : ''
  if (isUploadKind(folder)) return [{ kind: folder }]
  const { defaultKind: kind } = rules
  if (kind === undefined) return 'NoDefaultKind'
  return endsInOneOf(key, kinds[kind].uploadSuffixes) ? [{ kind }] : 'OtherSuffix'
}

const endsInOneOf = (key: string, suffixes: readonly string[]): boolean =>
  suffixes.some((suffix) => key.toLowerCase().endsWith(suffix.toLowerCase()))

/** A rule about sizes does not fit an upload whose size nobody said. */
function fits({ prefix, suffix, minBytes, maxBytes }: Trigger, { key, bytes }: Upload): boolean {
  if (!key.startsWith(prefix) || !endsInOneOf(key, [suffix])) return false
  if (minBytes === undefined && maxBytes === undefined) return true
  return bytes !== undefined && bytes >= (minBytes ?? 0) && bytes <= (maxBytes ?? Number.POSITIVE_INFINITY)
}

function commandOf({ bucket, key, etag, sequencer, ...upload }: Upload, wish: Wish): UploadSubmission {
  const versionId = namedVersion(upload.versionId)
  const { kind, params, queue, priority, afterSuccess } = wish
  return {
    do: 'submit',
    jobId: uploadJobId(kind, bucket, key, versionId ?? etag ?? ''),
    kind,
    spec: {
      input: {
        bucket,
        key,
        ...(etag === undefined ? {} : { etag: etag.replaceAll('"', '') }),
        ...(versionId === undefined ? {} : { versionId }),
        ...(isSize(upload.bytes) ? { bytes: upload.bytes } : {}),
      },
      ...(params === undefined ? {} : { params }),
      ...(queue === undefined ? {} : { queue }),
      ...(priority === undefined ? {} : { priority }),
      ...(afterSuccess === undefined ? {} : { afterSuccess }),
    },
    sequencer,
    upload: true,
  }
}

/**
 * `null` is the version of every object in a bucket that keeps none: it is overwritten like the object itself, and some
 * events leave it out.
 */
const namedVersion = (versionId: string | undefined): string | undefined =>
  versionId === 'null' || versionId === '' ? undefined : versionId

/** A record with anything else would be refused for it. */
const isSize = (bytes: number | undefined): bytes is number =>
  Number.isSafeInteger(bytes) && (bytes ?? -1) >= 0

const metadataPrefix = 'job-'

/**
 * Parameters that the upload brought along as `x-amz-meta-job-<parameter>`, or `x-amz-meta-job-<kind>-<parameter>` for one
 * of several kinds; `max-speakers` is `maxSpeakers`, because S3 keeps names in lower case. They win over those of a trigger.
 * The kind checks them like any others.
 * @param metadata of the object, without `x-amz-meta-`
 */
export function paramsOfUpload(
  kind: string,
  metadata: Readonly<Record<string, string>>,
): Record<string, unknown> {
  const named = Object.entries(metadata).flatMap(([name, value]) => {
    if (!name.startsWith(metadataPrefix)) return []
    const rest = name.slice(metadataPrefix.length)
    // audio-bitrate-kbps is a parameter of transcode, and bitrate-kbps is none of audio.
    const isOwn = isParameter(kind, camelCase(rest))
    const owner = isOwn ? undefined : userKinds.find((candidate) => rest.startsWith(`${candidate}-`))
    if (owner !== undefined && owner !== kind) return []
    const parameter = owner === undefined ? rest : rest.slice(owner.length + 1)
    // What is said of one kind comes after what is said of all, and wins.
    return [{ parameter: camelCase(parameter), value: parsedValue(value), isOwn: owner !== undefined }]
  })
  const ordered = [...named.filter(({ isOwn }) => !isOwn), ...named.filter(({ isOwn }) => isOwn)]
  return Object.fromEntries(ordered.map(({ parameter, value }) => [parameter, value]))
}

/** Schemas are strict, and say which names they do not know. */
const isParameter = (kind: string, name: string): boolean =>
  isKindName(kind) &&
  !kinds[kind].params
    .safeParse({ [name]: null })
    .error?.issues.some(({ code }) => code === 'unrecognized_keys')

const camelCase = (name: string): string =>
  name.replace(/-+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())

/** Numbers, booleans, lists and objects as JSON; everything else is text. */
function parsedValue(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** The command with the parameters that the upload brought along, and its size where its event did not say it. */
export function withHead(
  command: UploadSubmission,
  { metadata, bytes }: { metadata: Readonly<Record<string, string>>; bytes?: number },
): UploadSubmission {
  const params = paramsOfUpload(command.kind, metadata)
  const { spec } = command
  return {
    ...command,
    spec: {
      ...spec,
      input: { ...(bytes === undefined ? {} : { bytes }), ...spec.input },
      ...(Object.keys(params).length === 0 ? {} : { params: { ...spec.params, ...params } }),
    },
  }
}
