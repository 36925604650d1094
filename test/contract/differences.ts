import type { Differences } from './check.ts'

/** Where the local AWS is known not to be like AWS, check by check, and why nothing of ours relies on it. */
export const differences: Readonly<Record<'dynamodb' | 'sqs' | 's3', Differences>> = {
  dynamodb: {
    'condition: letters beyond U+FFFF are ordered by their bytes, too':
      'it orders by UTF-16; keys and times of ours are ASCII',
    'condition: maps and lists are equal by what is in them':
      'it compares them by identity; our conditions compare single values only',
    'invalid: an empty index key': 'it takes one; we write phases and queue names that have letters',
    'invalid: maps in maps beyond 32 levels': 'it takes any depth; the schema of a spec ends at 20 levels',
    'invalid: an order with a list': 'it answers that the condition failed; we order numbers and texts only',
  },
  sqs: {
    'attributes come only when asked for': 'it always sends them; the controller reads none of them',
    'an entry of a batch that is no receipt fails alone':
      'it says that it deleted; the controller sends receipts as it got them',
    'visibility of what is no longer in flight is MessageNotInflight':
      'it hides the message once more; the controller ignores the answer',
    'visibility of what is no receipt is ReceiptHandleIsInvalid':
      'it says MessageNotInflight; the controller ignores the answer',
    'letters beyond U+FFFF are taken': 'it refuses them; messages with emoji cannot be tried locally',
    'a delay beyond 15 minutes is refused': 'it takes any; the controller sends without delay',
  },
  s3: {},
}
