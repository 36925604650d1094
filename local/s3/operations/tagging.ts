import { type Answer, announce, type Call, type S3, xmlAnswer } from '../call.ts'
import { receiveText } from '../receive.ts'
import { parseTagXml, renderTags } from '../tags.ts'
import { refuseVersion } from './read.ts'

export async function putObjectTagging(s3: S3, call: Call): Promise<Answer> {
  refuseVersion(call.query)
  s3.objects.get(call.bucket, call.key)
  const tags = parseTagXml(await receiveText(call))
  announce(s3, call, 'ObjectTagging:Put', s3.objects.setTags(call.bucket, call.key, tags))
  return { status: 200 }
}

export function getObjectTagging(s3: S3, call: Call): Answer {
  refuseVersion(call.query)
  return xmlAnswer('Tagging', renderTags(s3.objects.get(call.bucket, call.key).tags))
}

export function deleteObjectTagging(s3: S3, call: Call): Answer {
  refuseVersion(call.query)
  announce(s3, call, 'ObjectTagging:Delete', s3.objects.setTags(call.bucket, call.key, {}))
  return { status: 204 }
}
