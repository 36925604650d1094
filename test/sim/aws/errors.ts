import {
  ConditionalCheckFailedException,
  DynamoDBServiceException,
  ResourceNotFoundException,
} from '@aws-sdk/client-dynamodb'
import { NoSuchBucket, NoSuchKey, NotFound, S3ServiceException } from '@aws-sdk/client-s3'
import {
  BatchEntryIdsNotDistinct,
  EmptyBatchRequest,
  InvalidMessageContents,
  MessageNotInflight,
  QueueDoesNotExist,
  ReceiptHandleIsInvalid,
  SQSServiceException,
  TooManyEntriesInBatchRequest,
} from '@aws-sdk/client-sqs'

// What the services answer when they refuse, as the SDK throws it: its own classes, because code asks `instanceof`.

const refused = { $metadata: { httpStatusCode: 400 }, $fault: 'client' as const }
const absent = { $metadata: { httpStatusCode: 404 }, $fault: 'client' as const }

/** The model was asked for something that AWS has and it has not: its answer would be a guess, so the test has to stop. */
export class ModelGap extends Error {
  override name = 'ModelGap'
}

export const conditionFailed = (): Error =>
  new ConditionalCheckFailedException({ ...refused, message: 'The conditional request failed' })

export const invalid = (message: string): Error =>
  new DynamoDBServiceException({ ...refused, name: 'ValidationException', message })

export const noTable = (): Error =>
  new ResourceNotFoundException({ ...refused, message: 'Requested resource not found' })

export const noQueue = (): Error =>
  new QueueDoesNotExist({ ...refused, message: 'The specified queue does not exist.' })

export const notInFlight = (): Error =>
  new MessageNotInflight({
    ...refused,
    message: 'Message does not exist or is not available for visibility timeout change.',
  })

export const badReceipt = (receipt: string): Error =>
  new ReceiptHandleIsInvalid({
    ...absent,
    message: `The input receipt handle "${receipt}" is not a valid receipt handle.`,
  })

export const badCharacters = (): Error =>
  new InvalidMessageContents({ ...refused, message: 'Invalid characters found in message body' })

export const badParameter = (name: string, reason: string): Error =>
  new SQSServiceException({
    ...refused,
    name: 'InvalidParameterValue',
    message: `Value for parameter ${name} is invalid. Reason: ${reason}.`,
  })

export const missingParameter = (name: string): Error =>
  new SQSServiceException({
    ...refused,
    name: 'MissingParameter',
    message: `The request must contain the parameter ${name}.`,
  })

export const emptyBatch = (): Error =>
  new EmptyBatchRequest({
    ...refused,
    message: 'There should be at least one DeleteMessageBatchRequestEntry in the request.',
  })

export const longBatch = (count: number): Error =>
  new TooManyEntriesInBatchRequest({
    ...refused,
    message: `Maximum number of entries per request are 10. You have sent ${count}.`,
  })

export const repeatedId = (id: string): Error =>
  new BatchEntryIdsNotDistinct({ ...refused, message: `Id ${id} repeated.` })

/** A HEAD has no body, so all that is known is the status (S3 API reference, HeadObject). */
export const notFound = (): Error => new NotFound({ ...absent, message: 'NotFound' })

export const noKey = (): Error => new NoSuchKey({ ...absent, message: 'The specified key does not exist.' })

/** A condition of a write or deletion does not hold (S3 user guide, conditional requests). */
export const preconditionFailed = (): Error =>
  new S3ServiceException({
    name: 'PreconditionFailed',
    $metadata: { httpStatusCode: 412 },
    $fault: 'client',
    message: 'At least one of the pre-conditions you specified did not hold',
  })

export const noBucket = (): Error =>
  new NoSuchBucket({ ...absent, message: 'The specified bucket does not exist' })
