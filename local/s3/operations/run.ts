import type { Answer, Call, S3 } from '../call.ts'
import { S3Error } from '../errors.ts'
import type { Operation } from '../route.ts'
import {
  createBucket,
  deleteBucket,
  deleteBucketCors,
  getBucketCors,
  getBucketLocation,
  getBucketNotification,
  headBucket,
  putBucketCors,
  putBucketNotification,
} from './buckets.ts'
import { completeMultipartUpload } from './complete.ts'
import { copyObject } from './copy.ts'
import { listBuckets, listObjects, listObjectsV2 } from './list.ts'
import {
  abortMultipartUpload,
  createMultipartUpload,
  listMultipartUploads,
  listParts,
  uploadPart,
  uploadPartCopy,
} from './multipart.ts'
import { readObject } from './read.ts'
import { deleteObjectTagging, getObjectTagging, putObjectTagging } from './tagging.ts'
import { deleteObject, deleteObjects, putObject } from './write.ts'

/** @throws S3Error for every answer that is an error */
export async function runOperation(s3: S3, operation: Operation, call: Call): Promise<Answer> {
  switch (operation) {
    case 'ListBuckets':
      return listBuckets(s3)
    case 'CreateBucket':
      return createBucket(s3, call)
    case 'HeadBucket':
      return headBucket(s3, call)
    case 'DeleteBucket':
      return deleteBucket(s3, call)
    case 'GetBucketLocation':
      return getBucketLocation(s3, call)
    case 'PutBucketCors':
      return putBucketCors(s3, call)
    case 'GetBucketCors':
      return getBucketCors(s3, call)
    case 'DeleteBucketCors':
      return deleteBucketCors(s3, call)
    case 'PutBucketNotificationConfiguration':
      return putBucketNotification(s3, call)
    case 'GetBucketNotificationConfiguration':
      return getBucketNotification(s3, call)
    case 'ListObjects':
      return listObjects(s3, call)
    case 'ListObjectsV2':
      return listObjectsV2(s3, call)
    case 'GetObject':
      return readObject(s3, call, true)
    case 'HeadObject':
      return readObject(s3, call, false)
    case 'PutObject':
      return putObject(s3, call)
    case 'CopyObject':
      return copyObject(s3, call)
    case 'DeleteObject':
      return deleteObject(s3, call)
    case 'DeleteObjects':
      return deleteObjects(s3, call)
    case 'PutObjectTagging':
      return putObjectTagging(s3, call)
    case 'GetObjectTagging':
      return getObjectTagging(s3, call)
    case 'DeleteObjectTagging':
      return deleteObjectTagging(s3, call)
    case 'CreateMultipartUpload':
      return createMultipartUpload(s3, call)
    case 'UploadPart':
      return uploadPart(s3, call)
    case 'UploadPartCopy':
      return uploadPartCopy(s3, call)
    case 'CompleteMultipartUpload':
      return completeMultipartUpload(s3, call)
    case 'AbortMultipartUpload':
      return abortMultipartUpload(s3, call)
    case 'ListParts':
      return listParts(s3, call)
    case 'ListMultipartUploads':
      return listMultipartUploads(s3, call)
    case 'Preflight':
      // Answered before authentication: browsers do not sign it.
      throw new S3Error('MethodNotAllowed')
    default:
      return operation satisfies never
  }
}
