const words = new Set([
  ...['SET', 'REMOVE', 'ADD', 'DELETE', 'AND', 'OR', 'NOT', 'IN', 'BETWEEN'],
  ...['attribute_exists', 'attribute_not_exists', 'attribute_type', 'if_not_exists', 'list_append'],
  ...['begins_with', 'contains', 'size'],
])

/**
 * The top-level attributes that an expression of DynamoDB touches, whether it reads or writes them: what IAM compares with
 * `dynamodb:Attributes`.
 * @param names its ExpressionAttributeNames
 */
export const attributesIn = (expression: string, names: Readonly<Record<string, string>>): string[] => {
  const paths = expression.match(/[#:]?\w+(?:\[\d+\])*(?:\.[#\w]+(?:\[\d+\])*)*/g) ?? []
  const attributes = paths
    .map((path) => /^[#:]?\w+/.exec(path)?.[0] ?? '')
    .filter((head) => !head.startsWith(':') && !words.has(head) && !/^\d+$/.test(head))
    .map((head) => names[head] ?? head)
  return [...new Set(attributes)]
}
