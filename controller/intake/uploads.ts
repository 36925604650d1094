import { uploadJobId } from '../../schemas/ids.ts'
import { isUploadKind, type KindName, kinds, userKinds } from '../../schemas/kinds/index.ts'
import { accessCheckFile } from '../../schemas/resources.ts'
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
  /** The first that fits an upload decides what becomes of it. */
  triggers?: readonly Trigger[]
  /** Which kind an upload becomes when no trigger fits and its first folder names none. */
  defaultKind: KindName | undefined
  /** Whether EventBridge encodes the keys of objects like form values, as notifications do. Absent: plain. */
  eventBridgeKeys?: 'plain' | 'encoded'
}

export type UploadIgnoredBecause = 'Folder' | 'AccessCheck' | 'Trigger' | 'OtherSuffix' | 'NoDefaultKind'

export type UploadSpec = {
  input: { bucket: string; key: string; etag?: string; versionId?: string }
  params?: Record<string, unknown>
  queue?: string
  priority?: number
}

export type UploadSubmission = {
  do: 'submit'
  jobId: string
  kind: string
  spec: UploadSpec
  sequencer: string | undefined
  upload: true
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
  const wishes = wishesFor(upload, rules)
  if (typeof wishes === 'string') return [{ do: 'ignore', why: wishes }]
  const [first, ...others] = wishes.map((wish) => commandOf(upload, wish))
  return first ? [first, ...others] : [{ do: 'ignore', why: 'Trigger' }]
}

function wishesFor(upload: Upload, rules: UploadRules): readonly Wish[] | UploadIgnoredBecause {
  const { key } = upload
  if (key.endsWith('/')) return 'Folder'
  if (key.split('/').at(-1) === accessCheckFile) return 'AccessCheck'
  const trigger = rules.triggers?.find((candidate) => fits(candidate, upload))
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
  const { kind, params, queue, priority } = wish
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
      },
      ...(params === undefined ? {} : { params }),
      ...(queue === undefined ? {} : { queue }),
      ...(priority === undefined ? {} : { priority }),
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
    const owner = userKinds.find((candidate) => rest.startsWith(`${candidate}-`))
    if (owner !== undefined && owner !== kind) return []
    const parameter = owner === undefined ? rest : rest.slice(owner.length + 1)
    // What is said of one kind comes after what is said of all, and wins.
    return [{ parameter: camelCase(parameter), value: parsedValue(value), isOwn: owner !== undefined }]
  })
  const ordered = [...named.filter(({ isOwn }) => !isOwn), ...named.filter(({ isOwn }) => isOwn)]
  return Object.fromEntries(ordered.map(({ parameter, value }) => [parameter, value]))
}

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

/** The command with the parameters that the upload brought along. */
export function withMetadata(
  command: UploadSubmission,
  metadata: Readonly<Record<string, string>>,
): UploadSubmission {
  const params = paramsOfUpload(command.kind, metadata)
  return Object.keys(params).length === 0
    ? command
    : { ...command, spec: { ...command.spec, params: { ...command.spec.params, ...params } } }
}
