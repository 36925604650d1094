import { keyedJobId, parseStartedBy, uploadJobId } from '../../schemas/ids.ts'
import { isKindName, type KindName, kinds } from '../../schemas/kinds/index.ts'
import {
  type JobRequest,
  jobRequestSchema,
  s3RecordSchema,
  taskEventSchema,
  wakeSchema,
} from '../../schemas/message.ts'
import { parseSafely } from '../../schemas/parse-safely.ts'
import { problemsOf, summaryOf } from '../../schemas/problems.ts'

/** One thing that a message asks for. */
export type Command =
  | {
      do: 'submit'
      jobId: string
      kind: string
      spec: unknown
      sequencer: string | undefined
      upload: boolean
    }
  | { do: 'ignore'; why: IgnoredBecause }
export type IgnoredBecause =
  | 'TestEvent'
  | 'Folder'
  | 'AccessCheck'
  | 'OtherEvent'
  | 'OtherSuffix'
  | 'NoDefaultKind'

/**
 * What a message is worth: a list of commands, or a reason to put it aside; or both, when only some of its records can be
 * read: the others are carried out, and the message is put aside all the same.
 */
export type Parsed =
  | { is: 'commands'; commands: Command[]; rubbish?: string }
  | { is: 'rubbish'; reason: string }

/** Which kind an upload becomes when its first folder names none. */
export type UploadRules = { defaultKind: KindName | undefined }

/**
 * Reads one message of the jobs queue: an S3 notification, or a job as JSON. Pure and total: whatever the body is, the
 * answer is commands or the reason why there are none.
 * @param messageId stands in for the id that a request does not bring
 */
export function parseMessage(body: string, messageId: string, rules: UploadRules): Parsed {
  let json: unknown
  try {
    json = JSON.parse(body)
  } catch {
    return { is: 'rubbish', reason: 'NotJson: the body is not JSON' }
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    return { is: 'rubbish', reason: 'NotAnObject: the body is JSON, but not an object' }
  if (isTooDeep(json))
    return { is: 'rubbish', reason: `TooDeep: spec.params and all else may have ${levelsAtMost} levels` }
  if ('Event' in json && json.Event === 's3:TestEvent') return ignored('TestEvent')
  if ('Records' in json) return parseNotification(json.Records, rules)
  return parseRequest(json, messageId)
}

// More than any request needs, and far fewer than overflow the stack of whoever walks through them.
const levelsAtMost = 50

function isTooDeep(json: object): boolean {
  let level: unknown[] = [json]
  for (let depth = 0; level.length > 0; depth += 1) {
    if (depth > levelsAtMost) return true
    level = level.flatMap((value) =>
      typeof value === 'object' && value !== null ? (Object.values(value) as unknown[]) : [],
    )
  }
  return false
}

const ignored = (why: IgnoredBecause): Parsed => ({ is: 'commands', commands: [{ do: 'ignore', why }] })

function parseRequest(json: object, messageId: string): Parsed {
  const parsed = parseSafely(jobRequestSchema, json)
  if (!parsed.success)
    return { is: 'rubbish', reason: `InvalidRequest: ${summaryOf(problemsOf(parsed.error, json))}` }
  const { kind, spec } = parsed.data
  const jobId = requestJobId(parsed.data, messageId)
  return {
    is: 'commands',
    commands: [{ do: 'submit', jobId, kind, spec, sequencer: undefined, upload: false }],
  }
}

/** The id of a request: its own, else one made from its key, else from what carried it. */
export const requestJobId = (request: JobRequest, carrierId: string): string =>
  request.jobId ?? keyedJobId(request.kind, request.idempotencyKey ?? carrierId)

/** One message may carry several records. A bad one among them costs the good ones nothing. */
function parseNotification(records: unknown, rules: UploadRules): Parsed {
  if (!Array.isArray(records) || records.length === 0)
    return { is: 'rubbish', reason: 'NoRecords: Records is not a list with something in it' }
  const read = records.map((record, index) => parseRecord(record, index, rules))
  const commands = read.filter((result) => typeof result !== 'string')
  const [reason] = read.filter((result) => typeof result === 'string')
  if (reason === undefined) return { is: 'commands', commands }
  return commands.length === 0 ? { is: 'rubbish', reason } : { is: 'commands', commands, rubbish: reason }
}

/** The command of one record, or the reason why it has none. */
function parseRecord(record: unknown, index: number, rules: UploadRules): Command | string {
  const parsed = parseSafely(s3RecordSchema, record)
  if (!parsed.success)
    return `InvalidRecord: ${summaryOf(problemsOf(parsed.error, record, ['Records', index]))}`
  const { eventName, s3 } = parsed.data
  const key = decodeKey(s3.object.key)
  if (key === undefined) return `InvalidRecord: Records[${index}].s3.object.key is not form-encoded`
  if (!/^(s3:)?ObjectCreated:/.test(eventName)) return { do: 'ignore', why: 'OtherEvent' }
  const { eTag: etag, versionId, sequencer } = s3.object
  return uploadCommand({ bucket: s3.bucket.name, key, etag, versionId, sequencer }, rules)
}

/** S3 writes keys like form values: a space is a plus sign, a plus sign is %2B. */
function decodeKey(key: string): string | undefined {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}

export type Upload = {
  bucket: string
  key: string
  etag: string | undefined
  versionId: string | undefined
  sequencer: string | undefined
}

// Amazon Transcribe writes this file to try its access to a bucket.
const accessCheckFile = '.write_access_check_file.temp'

/** The job for a finished upload, or why there is none. The first folder of the key may name the kind. */
export function uploadCommand(upload: Upload, rules: UploadRules): Command {
  const { bucket, key, etag, versionId, sequencer } = upload
  if (key.endsWith('/')) return { do: 'ignore', why: 'Folder' }
  if (key.split('/').at(-1) === accessCheckFile) return { do: 'ignore', why: 'AccessCheck' }
  const folder = key.includes('/') ? (key.split('/')[0] ?? '') : ''
  const named = isKindName(folder) && kinds[folder].input === 'object' ? folder : undefined
  const kind = named ?? rules.defaultKind
  if (kind === undefined) return { do: 'ignore', why: 'NoDefaultKind' }
  if (named === undefined && !kinds[kind].uploadSuffixes.some((suffix) => key.toLowerCase().endsWith(suffix)))
    return { do: 'ignore', why: 'OtherSuffix' }
  const version = versionId ?? etag ?? ''
  return {
    do: 'submit',
    jobId: uploadJobId(kind, bucket, key, version),
    kind,
    spec: {
      input: {
        bucket,
        key,
        ...(etag === undefined ? {} : { etag: etag.replaceAll('"', '') }),
        ...(versionId === undefined ? {} : { versionId }),
      },
    },
    sequencer,
    upload: true,
  }
}

/**
 * Whether one S3 event came after another one of the same key. Sequencers are hexadecimal; the shorter is filled up with
 * zeros on the right (S3 user guide, notification content structure). Unknown ones are not later.
 */
export function isLater(sequencer: string | undefined, than: string | undefined): boolean {
  if (sequencer === undefined || than === undefined) return false
  const length = Math.max(sequencer.length, than.length)
  return sequencer.toUpperCase().padEnd(length, '0') > than.toUpperCase().padEnd(length, '0')
}

/** What a message of the task-events queue says: whom to wake, and the task's detail if it was an ECS event. */
export type ParsedEvent =
  | { is: 'wake'; jobId: string }
  | {
      is: 'task'
      jobId: string
      fence: string
      detail: Record<string, unknown> & { taskArn: string; lastStatus: string }
    }
  | { is: 'foreign' }
  | { is: 'rubbish'; reason: string }

export function parseEvent(body: string, installation: string): ParsedEvent {
  let json: unknown
  try {
    json = JSON.parse(body)
  } catch {
    return { is: 'rubbish', reason: 'NotJson: the body is not JSON' }
  }
  const wake = parseSafely(wakeSchema, json)
  if (wake.success) return { is: 'wake', jobId: wake.data.jobId }
  const event = parseSafely(taskEventSchema, json)
  if (!event.success)
    return { is: 'rubbish', reason: `InvalidEvent: ${summaryOf(problemsOf(event.error, json))}` }
  const { detail } = event.data
  const started = parseStartedBy(detail.startedBy)
  return started?.installation === installation
    ? { is: 'task', jobId: started.jobId, fence: started.fence, detail }
    : { is: 'foreign' }
}
