import { carriedJobId, keyedJobId, parseStartedBy, parseTranscriptionJobName } from '../../schemas/ids.ts'
import {
  type JobRequest,
  jobRequestSchema,
  s3EventSchema,
  s3RecordSchema,
  snsEnvelopeSchema,
  taskEventSchema,
  transcribeEventSchema,
  wakeSchema,
} from '../../schemas/message.ts'
import { parseSafely } from '../../schemas/parse-safely.ts'
import { problemsOf, summaryOf } from '../../schemas/problems.ts'
import { type UploadCommand, type UploadRules, uploadCommands } from './uploads.ts'

/** One thing that a message asks for. */
export type Command =
  | { do: 'submit'; jobId: string; kind: string; spec: unknown; sequencer: undefined; upload: false }
  | { do: 'ignore'; why: 'TestEvent' | 'OtherEvent' }
  | UploadCommand

/**
 * What a message is worth: a list of commands, or a reason to put it aside; or both, when only some of its records can be
 * read: the others are carried out, and the message is put aside all the same.
 */
export type Parsed =
  | { is: 'commands'; commands: Command[]; rubbish?: string }
  | { is: 'rubbish'; reason: string }

/**
 * Reads one message of the jobs queue: what S3 tells of an upload (by notification or EventBridge), or a job as JSON; either
 * may have come through SNS. Pure and total: whatever the body is, the answer is commands or the reason why there are none.
 * @param messageId stands in for the id that a request does not bring
 */
export function parseMessage(body: string, messageId: string, rules: UploadRules): Parsed {
  const read = readObject(body)
  if (read.is === 'rubbish') return read
  return isEnvelope(read.json)
    ? parseEnvelope(read.json, messageId, rules)
    : parseContent(read.json, messageId, rules)
}

function readObject(body: string): { is: 'object'; json: object } | { is: 'rubbish'; reason: string } {
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
  return { is: 'object', json }
}

function parseContent(json: object, carrierId: string, rules: UploadRules): Parsed {
  if ('Event' in json && json.Event === 's3:TestEvent') return ignored('TestEvent')
  if ('Records' in json) return parseNotification(json.Records, rules)
  if ('detail-type' in json) return parseS3Event(json, rules)
  return parseRequest(json, carrierId)
}

const isEnvelope = (json: object): boolean => 'Type' in json && 'Message' in json

/** What SNS delivers unless it is told to deliver raw: the message as text in an envelope, which may come more than once. */
function parseEnvelope(json: object, messageId: string, rules: UploadRules): Parsed {
  if ('SubscribeURL' in json)
    return {
      is: 'rubbish',
      reason: 'Unconfirmed: SNS waits for somebody to open the SubscribeURL in this message',
    }
  const envelope = parseSafely(snsEnvelopeSchema, json)
  if (!envelope.success)
    return { is: 'rubbish', reason: `InvalidEnvelope: ${summaryOf(problemsOf(envelope.error, json))}` }
  const { Message: body, MessageId: snsId = messageId } = envelope.data
  const read = readObject(body)
  if (read.is === 'rubbish') return inEnvelope(read)
  if (isEnvelope(read.json))
    return {
      is: 'rubbish',
      reason:
        'NestedEnvelope: a notification of SNS inside of another is not read; let the first topic deliver raw',
    }
  return inEnvelope(parseContent(read.json, snsId, rules))
}

/** A reason speaks of fields, so it has to say where they stand. */
function inEnvelope(parsed: Parsed): Parsed {
  const where = (reason: string): string => `${reason} (in the Message of a notification of SNS)`
  if (parsed.is === 'rubbish') return { is: 'rubbish', reason: where(parsed.reason) }
  return parsed.rubbish === undefined ? parsed : { ...parsed, rubbish: where(parsed.rubbish) }
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

const ignored = (why: 'TestEvent' | 'OtherEvent'): Parsed => ({
  is: 'commands',
  commands: [{ do: 'ignore', why }],
})

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
export const requestJobId = ({ jobId, idempotencyKey, kind }: JobRequest, carrierId: string): string =>
  jobId ?? (idempotencyKey === undefined ? carriedJobId(kind, carrierId) : keyedJobId(idempotencyKey))

/** One message may carry several records. A bad one among them costs the good ones nothing. */
function parseNotification(records: unknown, rules: UploadRules): Parsed {
  if (!Array.isArray(records) || records.length === 0)
    return { is: 'rubbish', reason: 'NoRecords: Records is not a list with something in it' }
  const read = records.map((record, index) => parseRecord(record, index, rules))
  const commands = read.filter((result) => typeof result !== 'string').flat()
  const [reason] = read.filter((result) => typeof result === 'string')
  if (reason === undefined) return { is: 'commands', commands }
  return commands.length === 0 ? { is: 'rubbish', reason } : { is: 'commands', commands, rubbish: reason }
}

/** An event of S3 that came by EventBridge: one object each. */
function parseS3Event(json: object, rules: UploadRules): Parsed {
  const { source, 'detail-type': what } = json as { source?: unknown; 'detail-type'?: unknown }
  if (source === 'aws.s3' && what !== 'Object Created') return ignored('OtherEvent')
  const parsed = parseSafely(s3EventSchema, json)
  if (!parsed.success)
    return { is: 'rubbish', reason: `InvalidEvent: ${summaryOf(problemsOf(parsed.error, json))}` }
  const { bucket, object } = parsed.data.detail
  const key = rules.eventBridgeKeys === 'encoded' ? decodeKey(object.key) : object.key
  if (key === undefined)
    return {
      is: 'rubbish',
      reason: 'InvalidEvent: detail.object.key is not form-encoded: set EVENTBRIDGE_KEYS=plain',
    }
  const { etag, 'version-id': versionId, sequencer, size: bytes } = object
  return {
    is: 'commands',
    commands: [...uploadCommands({ bucket: bucket.name, key, etag, versionId, sequencer, bytes }, rules)],
  }
}

/** The commands of one record, or the reason why it has none. */
function parseRecord(record: unknown, index: number, rules: UploadRules): readonly Command[] | string {
  const parsed = parseSafely(s3RecordSchema, record)
  if (!parsed.success)
    return `InvalidRecord: ${summaryOf(problemsOf(parsed.error, record, ['Records', index]))}`
  const { eventName, s3 } = parsed.data
  const key = decodeKey(s3.object.key)
  if (key === undefined) return `InvalidRecord: Records[${index}].s3.object.key is not form-encoded`
  if (!/^(s3:)?ObjectCreated:/.test(eventName)) return [{ do: 'ignore', why: 'OtherEvent' }]
  const { eTag: etag, versionId, sequencer, size: bytes } = s3.object
  return uploadCommands({ bucket: s3.bucket.name, key, etag, versionId, sequencer, bytes }, rules)
}

/** S3 writes keys like form values: a space is a plus sign, a plus sign is %2B. */
function decodeKey(key: string): string | undefined {
  try {
    return decodeURIComponent(key.replaceAll('+', ' '))
  } catch {
    return undefined
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
  const transcribed = parseSafely(transcribeEventSchema, json)
  if (transcribed.success)
    return parseTranscribeEvent(transcribed.data.detail.TranscriptionJobName, installation)
  const event = parseSafely(taskEventSchema, json)
  if (!event.success)
    return { is: 'rubbish', reason: `InvalidEvent: ${summaryOf(problemsOf(event.error, json))}` }
  const { detail } = event.data
  const started = parseStartedBy(detail.startedBy)
  return started?.installation === installation
    ? { is: 'task', jobId: started.jobId, fence: started.fence, detail }
    : { is: 'foreign' }
}

/** It says that a transcription has ended; how it ended is asked of Transcribe, which remembers for 90 days. */
function parseTranscribeEvent(name: string, installation: string): ParsedEvent {
  const job = parseTranscriptionJobName(name)
  return job?.installation === installation ? { is: 'wake', jobId: job.jobId } : { is: 'foreign' }
}
