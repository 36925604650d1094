/** How Amazon Bedrock names what may be asked: an id of a model or of an inference profile, or the ARN of one. */
const name = '[A-Za-z0-9][A-Za-z0-9.:_-]{0,127}'
const resource =
  '(foundation-model|inference-profile|application-inference-profile|provisioned-model|custom-model-deployment)'
const arn = `arn:aws[a-z-]{0,20}:bedrock:[a-z0-9-]{0,20}:(\\d{12})?:${resource}/`

/** No wildcards: whoever allows a model names it. */
export const modelArnPattern = new RegExp(`^${arn}${name}$`)
export const modelIdPattern = new RegExp(`^(${arn})?${name}$`)
