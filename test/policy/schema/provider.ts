import { existsSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { type Interfaces, readInterfaces } from './interfaces.ts'

const folder = join(
  dirname(createRequire(import.meta.url).resolve('@cdktf/provider-aws/package.json')),
  'lib',
)

export type ProviderType = {
  interfaces: Interfaces
  /** Interface of the block itself. */
  root: string
  /** What other resources may refer to, in camel case. */
  outputs: ReadonlySet<string>
}

const known = new Map<string, ProviderType | undefined>()

/**
 * What the bindings of the AWS provider say of a resource type, a data source (`data.aws_...`) or `provider`; undefined when
 * the provider has no such thing. The declarations are made from the provider's own schema.
 */
export const providerType = (type: string): ProviderType | undefined => {
  if (!known.has(type)) known.set(type, read(type))
  return known.get(type)
}

function read(type: string): ProviderType | undefined {
  const name = type
    .replace(/^data\.aws_/, 'data_aws_')
    .replace(/^aws_/, '')
    .replaceAll('_', '-')
  const path = join(folder, name, 'index.d.ts')
  if (!existsSync(path)) return undefined
  const declarations = readFileSync(path, 'utf8')
  const interfaces = readInterfaces(declarations)
  const root = [...interfaces.keys()].find((one) => one.endsWith('Config'))
  if (root === undefined) throw new Error(`${path} has no configuration`)
  const resourceClass = declarations.slice(declarations.indexOf('static readonly tfResourceType'))
  const outputs = [...resourceClass.matchAll(/^ {4}get (\w+)\(\)/gm)].map(([, output = '']) => output)
  return { interfaces, root, outputs: new Set(outputs) }
}

export const camelCase = (name: string): string =>
  name.replaceAll(/_([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase())
