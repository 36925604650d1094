import { type Answer, type Call, type S3, xmlAnswer } from '../call.ts'
import { parseCors, renderCors } from '../cors.ts'
import { S3Error } from '../errors.ts'
import { parseNotifications, renderNotifications, testMessage } from '../notifications.ts'
import { receiveText } from '../receive.ts'
import { element, parseXml, token } from '../xml.ts'

export async function createBucket(s3: S3, call: Call): Promise<Answer> {
  refuseBadName(call.bucket)
  refuseUnsupported(call.headers)
  await checkLocation(s3, call)
  s3.objects.createBucket(call.bucket)
  return { status: 200, headers: { location: `/${call.bucket}` } }
}

export function headBucket(s3: S3, call: Call): Answer {
  s3.objects.getBucket(call.bucket)
  return { status: 200, headers: { 'x-amz-bucket-region': s3.region } }
}

export function deleteBucket(s3: S3, call: Call): Answer {
  s3.objects.deleteBucket(call.bucket)
  s3.uploads.removeBucket(call.bucket)
  return { status: 204 }
}

/** The oldest region is an empty text (S3 API reference, GetBucketLocation). */
export function getBucketLocation(s3: S3, call: Call): Answer {
  s3.objects.getBucket(call.bucket)
  return xmlAnswer('LocationConstraint', { '#text': s3.region === 'us-east-1' ? '' : s3.region })
}

export async function putBucketCors(s3: S3, call: Call): Promise<Answer> {
  s3.objects.getBucket(call.bucket)
  s3.objects.changeBucket(call.bucket, { cors: parseCors(await receiveText(call)) })
  return { status: 200 }
}

export function getBucketCors(s3: S3, call: Call): Answer {
  const { cors } = s3.objects.getBucket(call.bucket)
  if (!cors) throw new S3Error('NoSuchCORSConfiguration', undefined, { BucketName: call.bucket })
  return xmlAnswer('CORSConfiguration', renderCors(cors))
}

export function deleteBucketCors(s3: S3, call: Call): Answer {
  s3.objects.changeBucket(call.bucket, { cors: undefined })
  return { status: 204 }
}

/** Each queue gets an `s3:TestEvent` first; one that cannot be reached is refused, and nothing changes. */
export async function putBucketNotification(s3: S3, call: Call): Promise<Answer> {
  s3.objects.getBucket(call.bucket)
  const notifications = parseNotifications(await receiveText(call))
  if (call.header('x-amz-skip-destination-validation')?.toLowerCase() !== 'true') {
    const message = testMessage(call.bucket, call.requestId, s3.nowMs())
    const queueArns = new Set(notifications.map(({ queueArn }) => queueArn))
    await Promise.all([...queueArns].map((queueArn) => validateDestination(s3, queueArn, message)))
  }
  s3.objects.changeBucket(call.bucket, { notifications })
  return { status: 200 }
}

export function getBucketNotification(s3: S3, call: Call): Answer {
  const { notifications } = s3.objects.getBucket(call.bucket)
  return xmlAnswer('NotificationConfiguration', renderNotifications(notifications))
}

async function validateDestination(s3: S3, queueArn: string, message: string): Promise<void> {
  try {
    await s3.notify(queueArn, message)
  } catch (error) {
    throw new S3Error('InvalidArgument', 'Unable to validate the following destination configurations', {
      ArgumentName: queueArn,
      ArgumentValue: error instanceof Error ? error.message : String(error),
    })
  }
}

/** Bucket names (S3 user guide, Bucket naming rules). They become folder names here, so the rule is also a guard. */
function refuseBadName(name: string): void {
  const isValid =
    /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(name) && !name.includes('..') && !/^[\d.]+$/.test(name)
  if (!isValid) throw new S3Error('InvalidBucketName', undefined, { BucketName: name })
}

function refuseUnsupported(headers: ReadonlyMap<string, string>): void {
  const acl = headers.get('x-amz-acl') ?? 'private'
  if (acl !== 'private') throw new S3Error('AccessControlListNotSupported')
  const ownership = headers.get('x-amz-object-ownership') ?? 'BucketOwnerEnforced'
  const unsupported =
    ownership === 'BucketOwnerEnforced'
      ? [...headers.keys()].find((name) => /^x-amz-(grant-|bucket-object-lock-enabled)/.test(name))
      : 'x-amz-object-ownership'
  if (unsupported !== undefined) throw new S3Error('NotImplemented', undefined, { Header: unsupported })
}

const configurationElement = element({ LocationConstraint: token.optional() })

async function checkLocation(s3: S3, call: Call): Promise<void> {
  if (Number(call.header('content-length') ?? 0) === 0) return
  const { LocationConstraint } = parseXml(
    await receiveText(call),
    'CreateBucketConfiguration',
    configurationElement,
  )
  if (!LocationConstraint || LocationConstraint === s3.region) return
  throw new S3Error(
    'IllegalLocationConstraintException',
    `The ${LocationConstraint} location constraint is incompatible for the region specific endpoint this request was sent to.`,
  )
}
