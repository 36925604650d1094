import { distance } from 'fastest-levenshtein'
import type { StackJson, Values } from '../stack.ts'
import type { Field, Interfaces } from './interfaces.ts'
import { camelCase, providerType } from './provider.ts'

/** What Terraform itself understands in every block (Terraform language, meta-arguments). */
const metaArguments = [
  'depends_on',
  'count',
  'for_each',
  'provider',
  'lifecycle',
  'provisioner',
  'connection',
  '//',
]
const lifecycleArguments = [
  ...['create_before_destroy', 'prevent_destroy', 'ignore_changes'],
  ...['replace_triggered_by', 'precondition', 'postcondition'],
]

/** Everything in a stack that the provider would not understand, a sentence for each. */
export const schemaProblems = (json: StackJson): string[] => [
  ...eachBlock(json).flatMap(({ type, address, values }) => blockProblems(type, address, values)),
  ...(json.provider?.aws ?? []).flatMap((values, index) =>
    blockProblems('provider', `provider.aws[${index}]`, values),
  ),
  ...referenceProblems(json),
]

const eachBlock = (json: StackJson) => [
  ...Object.entries(json.resource ?? {}).flatMap(([type, blocks]) =>
    Object.entries(blocks).map(([id, values]) => ({ type, address: `${type}.${id}`, values })),
  ),
  ...Object.entries(json.data ?? {}).flatMap(([type, blocks]) =>
    Object.entries(blocks).map(([id, values]) => ({
      type: `data.${type}`,
      address: `data.${type}.${id}`,
      values,
    })),
  ),
]

function blockProblems(type: string, address: string, values: Values): string[] {
  const schema = providerType(type)
  if (schema === undefined) return [`${address}: the provider has no ${type}`]
  const own = Object.fromEntries(Object.entries(values).filter(([name]) => !metaArguments.includes(name)))
  return [
    ...fieldProblems(own, schema.interfaces.get(schema.root) ?? [], schema.interfaces, address),
    ...lifecycleProblems(values, schema.interfaces.get(schema.root) ?? [], address),
  ]
}

/** Names and values of a block against the fields of an interface, nested blocks likewise. */
export const fieldProblems = (
  values: Values,
  fields: readonly Field[],
  interfaces: Interfaces,
  where: string,
): string[] => [
  ...Object.keys(values)
    .filter((name) => !fields.some((field) => field.name === name))
    .map(
      (name) =>
        `${where}.${name}: there is no such argument${suggestion(
          name,
          fields.map((field) => field.name),
        )}`,
    ),
  ...fields
    .filter(({ name, required }) => required && (values[name] === undefined || values[name] === null))
    .map(({ name }) => `${where}.${name}: is required`),
  ...fields.flatMap((field) => {
    const value = values[field.name]
    return value === undefined || value === null
      ? []
      : valueProblems(value, field, interfaces, `${where}.${field.name}`)
  }),
]

const suggestion = (name: string, possible: readonly string[]): string => {
  const near = possible.find((one) => distance(one, name) <= 2)
  return near === undefined ? '' : `; did you mean ${near}?`
}

function valueProblems(value: unknown, { type }: Field, interfaces: Interfaces, where: string): string[] {
  // What is only known when Terraform runs fits everything.
  if (typeof value === 'string' && value.includes('${')) return []
  const nested = (type.match(/\w+/g) ?? [])
    .map((word) => interfaces.get(word))
    .find((fields) => fields !== undefined)
  if (nested !== undefined)
    return [value]
      .flat()
      .flatMap((one, index) =>
        typeof one === 'object' && one !== null
          ? fieldProblems(
              one as Values,
              nested,
              interfaces,
              Array.isArray(value) ? `${where}[${index}]` : where,
            )
          : [`${where}: must be a block`],
      )
  return isOfType(value, type) ? [] : [`${where}: ${JSON.stringify(value)} is no ${type}`]
}

const isOfType = (value: unknown, type: string): boolean => {
  if (/^\{|^Record</.test(type)) return typeof value === 'object' && !Array.isArray(value)
  if (/\[\]/.test(type)) return Array.isArray(value)
  if (/^boolean/.test(type)) return typeof value === 'boolean'
  if (/^number/.test(type)) return typeof value === 'number'
  if (/^string/.test(type)) return ['string', 'number', 'boolean'].includes(typeof value)
  return true
}

const lifecycleProblems = (values: Values, fields: readonly Field[], address: string): string[] => {
  const lifecycle = (values.lifecycle ?? {}) as Values
  const ignored = [lifecycle.ignore_changes ?? []].flat().map(String)
  return [
    ...Object.keys(lifecycle)
      .filter((name) => !lifecycleArguments.includes(name))
      .map(
        (name) =>
          `${address}.lifecycle.${name}: there is no such argument${suggestion(name, lifecycleArguments)}`,
      ),
    ...ignored
      .filter((name) => name !== 'all' && !fields.some((field) => field.name === name.split(/[.[]/)[0]))
      .map((name) => `${address}.lifecycle.ignore_changes: ${name} is no argument`),
  ]
}

/** Every `${aws_x.y.z}` names a block that is there and something that it has; every depends_on one that is there. */
function referenceProblems(json: StackJson): string[] {
  const addresses = new Set(eachBlock(json).map(({ address }) => address))
  return [...eachBlock(json), ...outputsOf(json)].flatMap(({ address: from, values }) => [
    ...interpolationsIn(values).flatMap(([address, attribute]) => {
      if (!addresses.has(address)) return [`${from} refers to ${address}, which is not there`]
      const has = providerType(address.replace(/\.[^.]*$/, ''))?.outputs
      return attribute === undefined || has?.has(camelCase(attribute))
        ? []
        : [`${from} refers to ${address}.${attribute}, which it does not have`]
    }),
    ...[values.depends_on ?? []]
      .flat()
      .map(String)
      .filter((address) => !addresses.has(address))
      .map((address) => `${from} depends on ${address}, which is not there`),
  ])
}

const outputsOf = (json: StackJson) =>
  Object.entries(json.output ?? {}).map(([name, values]) => ({ address: `output.${name}`, values }))

const interpolationsIn = (values: Values): [address: string, attribute: string | undefined][] =>
  (JSON.stringify(values).match(/\$\{.*?\}/g) ?? []).flatMap((text) =>
    [...text.matchAll(/(?<![\w.])((?:data\.)?aws_[a-z0-9_]+\.[\w-]+)(?:(?:\[[^\]]*\])*\.(\w+))?/g)].map(
      ([, address = '', attribute]): [string, string | undefined] => [address, attribute],
    ),
  )
