import { testingMatchers } from 'cdktf'
import { expect } from 'vitest'

/** A class of the bindings, standing for its type in Terraform. */
type Binding = { readonly tfResourceType: string }
type Properties = Readonly<Record<string, unknown>>

declare module 'vitest' {
  interface Matchers<T> {
    /** Of the text of a stack: some resource of this kind has at least these properties, in the words of Terraform. */
    toHaveResourceWithProperties(kind: Binding, properties: Properties): T
    toHaveDataSourceWithProperties(kind: Binding, properties: Properties): T
    toHaveProviderWithProperties(kind: Binding, properties: Properties): T
  }
}

/** With this, `expect.stringContaining` and its like may stand in what is expected. */
const oneHas = (items: unknown, properties: Properties): boolean =>
  (Array.isArray(items) ? items : Object.values(items as object)).some((item: unknown) =>
    expect.objectContaining({ ...properties }).asymmetricMatch(item),
  )

type Matcher = (
  received: string,
  kind: Binding,
  properties?: Properties,
) => { message: string; pass: boolean }

/** The matchers of cdktf say their message as a text; vitest wants to ask for it. */
const forVitest = (matcher: Matcher) => (received: string, kind: Binding, properties: Properties) => {
  const { message, pass } = matcher(received, kind, properties)
  return { pass, message: () => message }
}

expect.extend({
  toHaveResourceWithProperties: forVitest(testingMatchers.getToHaveResourceWithProperties(oneHas)),
  toHaveDataSourceWithProperties: forVitest(testingMatchers.getToHaveDataSourceWithProperties(oneHas)),
  toHaveProviderWithProperties: forVitest(testingMatchers.getToHaveProviderWithProperties(oneHas)),
})
