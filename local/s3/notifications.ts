import { z } from 'zod'
import { S3Error } from './errors.ts'
import { element, parseXml, token } from './xml.ts'

/** The events that this S3 sends, without `s3:`, as they stand in a message. */
export type EventName =
  | 'ObjectCreated:Put'
  | 'ObjectCreated:Copy'
  | 'ObjectCreated:CompleteMultipartUpload'
  | 'ObjectRemoved:Delete'
  | 'ObjectTagging:Put'
  | 'ObjectTagging:Delete'

export const queueConfigurationSchema = z.object({
  id: z.string(),
  queueArn: z.string(),
  /** As configured, such as `s3:ObjectCreated:*`. */
  events: z.array(z.string()),
  prefix: z.string(),
  suffix: z.string(),
})

export type QueueConfiguration = z.infer<typeof queueConfigurationSchema>

export type S3Event = {
  name: EventName
  bucket: string
  key: string
  /** Absent for deletions. */
  sizeBytes?: number
  etag?: string
  sequencer: string
  timeMs: number
  requestId: string
  accessKeyId: string
  sourceIp: string
}

/** Which configurations want an event of this name and key. */
export function interested(
  configurations: readonly QueueConfiguration[],
  event: { name: EventName; key: string },
): QueueConfiguration[] {
  return configurations.filter(
    ({ events, prefix, suffix }) =>
      events.some((pattern) => patternCovers(pattern, `s3:${event.name}`)) &&
      asWritten(prefix).some((text) => event.key.startsWith(text)) &&
      asWritten(suffix).some((text) => event.key.endsWith(text)),
  )
}

/** The message of one event (S3 user guide, Event message structure 2.1). Unversioned buckets have no versionId. */
export function eventMessage(event: S3Event, configurationId: string, region: string): string {
  const record = {
    eventVersion: '2.1',
    eventSource: 'aws:s3',
    awsRegion: region,
    eventTime: new Date(event.timeMs).toISOString(),
    eventName: event.name,
    userIdentity: { principalId: `AWS:${event.accessKeyId}` },
    requestParameters: { sourceIPAddress: event.sourceIp },
    responseElements: { 'x-amz-request-id': event.requestId, 'x-amz-id-2': event.requestId },
    s3: {
      s3SchemaVersion: '1.0',
      configurationId,
      bucket: {
        name: event.bucket,
        ownerIdentity: { principalId: 'LOCAL' },
        arn: `arn:aws:s3:::${event.bucket}`,
      },
      object: {
        key: formEncode(event.key),
        size: event.sizeBytes,
        eTag: event.etag,
        sequencer: event.sequencer,
      },
    },
  }
  return JSON.stringify({ Records: [record] })
}

/** What S3 sends to a queue once it is configured: no `Records`. */
export function testMessage(bucket: string, requestId: string, timeMs: number): string {
  return JSON.stringify({
    Service: 'Amazon S3',
    Event: 's3:TestEvent',
    Time: new Date(timeMs).toISOString(),
    Bucket: bucket,
    RequestId: requestId,
    HostId: requestId,
  })
}

/** @throws MalformedXML, InvalidArgument, NotImplemented */
export function parseNotifications(xml: string): QueueConfiguration[] {
  const content = parseXml(xml, 'NotificationConfiguration', notificationElement)
  for (const kind of [
    'TopicConfiguration',
    'CloudFunctionConfiguration',
    'EventBridgeConfiguration',
  ] as const) {
    if (content[kind] !== undefined) {
      throw new S3Error('NotImplemented', `This local S3 sends notifications to SQS only, not to a ${kind}.`)
    }
  }
  const configurations = content.QueueConfiguration.map((configuration, index) => ({
    id: configuration.Id ?? `configuration-${index + 1}`,
    queueArn: checkedQueueArn(configuration.Queue),
    events: configuration.Event.map(checkedEvent),
    ...readFilter(configuration.Filter?.S3Key.FilterRule ?? []),
  }))
  if (hasOverlap(configurations)) {
    throw new S3Error(
      'InvalidArgument',
      'Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are overlapping for the same event type.',
    )
  }
  return configurations
}

/** The content of a `NotificationConfiguration` element. */
export function renderNotifications(configurations: readonly QueueConfiguration[]): object {
  return {
    QueueConfiguration: configurations.map(({ id, queueArn, events, prefix, suffix }) => {
      const rules = [
        ...(prefix === '' ? [] : [{ Name: 'Prefix', Value: prefix }]),
        ...(suffix === '' ? [] : [{ Name: 'Suffix', Value: suffix }]),
      ]
      return {
        Id: id,
        Queue: queueArn,
        Event: events,
        Filter: rules.length === 0 ? undefined : { S3Key: { FilterRule: rules } },
      }
    }),
  }
}

const notificationElement = element({
  QueueConfiguration: z
    .array(
      element({
        Id: token.optional(),
        Queue: token,
        Event: z.array(token).min(1),
        Filter: element({
          S3Key: element({ FilterRule: z.array(element({ Name: token, Value: z.string() })).default([]) }),
        }).optional(),
      }),
    )
    .default([]),
  TopicConfiguration: z.unknown().optional(),
  CloudFunctionConfiguration: z.unknown().optional(),
  EventBridgeConfiguration: z.unknown().optional(),
})

const SENT_EVENTS = new Set<string>([
  's3:ObjectCreated:*',
  's3:ObjectCreated:Put',
  's3:ObjectCreated:Post',
  's3:ObjectCreated:Copy',
  's3:ObjectCreated:CompleteMultipartUpload',
  's3:ObjectRemoved:*',
  's3:ObjectRemoved:Delete',
  's3:ObjectRemoved:DeleteMarkerCreated',
  's3:ObjectTagging:*',
  's3:ObjectTagging:Put',
  's3:ObjectTagging:Delete',
])

function checkedEvent(event: string): string {
  if (SENT_EVENTS.has(event)) return event
  if (/^s3:[A-Za-z]+/.test(event)) throw new S3Error('NotImplemented', `This local S3 never sends ${event}.`)
  throw new S3Error('InvalidArgument', 'The event is not supported for notifications', {
    ArgumentName: 'Event',
  })
}

/** S3 delivers to standard queues only (S3 user guide, Event notification types and destinations). */
function checkedQueueArn(arn: string): string {
  if (/^arn:aws[a-z-]*:sqs:[^:]+:\d{12}:[A-Za-z0-9_-]+$/.test(arn)) return arn
  throw new S3Error('InvalidArgument', 'The ARN is not well formed or not that of a standard queue', {
    ArgumentName: 'Queue',
    ArgumentValue: arn,
  })
}

function readFilter(rules: readonly { Name: string; Value: string }[]): { prefix: string; suffix: string } {
  const filter = { prefix: '', suffix: '' }
  const seen = new Set<string>()
  for (const { Name, Value } of rules) {
    const name = Name.toLowerCase()
    if ((name !== 'prefix' && name !== 'suffix') || seen.has(name)) {
      throw new S3Error(
        'InvalidArgument',
        'filter rule name must be either prefix or suffix, each at most once',
      )
    }
    seen.add(name)
    filter[name] = Value
  }
  return filter
}

/** Two configurations must not both want the same event of the same key. */
function hasOverlap(configurations: readonly QueueConfiguration[]): boolean {
  return configurations.some((a, index) =>
    configurations
      .slice(index + 1)
      .some(
        (b) =>
          (a.prefix.startsWith(b.prefix) || b.prefix.startsWith(a.prefix)) &&
          (a.suffix.endsWith(b.suffix) || b.suffix.endsWith(a.suffix)) &&
          a.events.some((eventA) =>
            b.events.some((eventB) => patternCovers(eventA, eventB) || patternCovers(eventB, eventA)),
          ),
      ),
  )
}

function patternCovers(pattern: string, event: string): boolean {
  return pattern.endsWith(':*') ? event.startsWith(pattern.slice(0, -1)) : pattern === event
}

/** Special characters of a filter may be written percent-encoded, so both readings of it count. */
function asWritten(filter: string): string[] {
  try {
    return [filter, decodeURIComponent(filter)]
  } catch {
    return [filter]
  }
}

/** The key as a form field: a space becomes `+`, and only letters, digits, `-_.*` and slashes stay as they are. */
function formEncode(key: string): string {
  return encodeURIComponent(key)
    .replace(/[!'()~]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)
    .replace(/%20/g, '+')
    .replace(/%2F/g, '/')
}
