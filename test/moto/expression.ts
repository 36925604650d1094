/**
 * The little of Terraform's language that our stack uses: references, `element`, `cidrsubnet`, comparisons and a condition.
 * Anything else is an error: a stack that is applied half understood would prove nothing.
 */

/** What a reference stands for, e.g. of `aws_sqs_queue.jobs` its `arn`. Throws when nobody knows. */
export type Lookup = (address: string, attribute: string) => unknown

const template = /\$\$\{|\$\{((?:"(?:[^"\\]|\\.)*"|[^"}])*)\}/g

/** A value of a block with everything put in for its `${...}`, however deep they stand. */
export function resolve(value: unknown, lookup: Lookup): unknown {
  if (typeof value === 'string') return resolveText(value, lookup)
  if (Array.isArray(value)) return value.map((item) => resolve(item, lookup))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, resolve(item, lookup)]))
}

/** A text that is one expression keeps the type of its value: a number stays a number. */
function resolveText(text: string, lookup: Lookup): unknown {
  const [whole] = text.matchAll(template)
  if (whole?.[0] === text && whole[1] !== undefined) return evaluate(whole[1], lookup)
  const resolved = text.replaceAll(template, (_all, expression: string | undefined) => {
    if (expression === undefined) return '${'
    const value = evaluate(expression, lookup)
    if (typeof value === 'object') throw new Error(`\${${expression}} is no text`)
    return String(value)
  })
  if (text.includes('%{')) throw new Error(`Directives are not understood: ${text}`)
  return resolved
}

/** Addresses that a value refers to. */
export function references(value: unknown): string[] {
  if (typeof value === 'string')
    return [...value.matchAll(template)].flatMap(([, expression]) =>
      expression === undefined
        ? []
        : tokensOf(expression).flatMap(({ name }) => (name?.includes('.') ? [addressOf(name).address] : [])),
    )
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap(references)
}

type Token = { text: string; string?: string; number?: number; name?: string }

const tokenPattern =
  /\s*(?:("(?:[^"\\]|\\.)*")|(\d+)|([A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*)|(==|!=|\|\||&&|[()?:,!]))\s*/y

function tokensOf(expression: string): Token[] {
  const tokens: Token[] = []
  tokenPattern.lastIndex = 0
  while (tokenPattern.lastIndex < expression.length) {
    const at = tokenPattern.lastIndex
    const [, string, number, name, sign] = tokenPattern.exec(expression) ?? []
    if (string !== undefined) tokens.push({ text: string, string: JSON.parse(string) as string })
    else if (number !== undefined) tokens.push({ text: number, number: Number(number) })
    else if (name !== undefined) tokens.push({ text: name, name })
    else if (sign !== undefined) tokens.push({ text: sign })
    else throw new Error(`Not understood from "${expression.slice(at)}" on: \${${expression}}`)
  }
  return tokens
}

/** `aws_vpc.network.id`, or `data.aws_partition.here.partition`. */
function addressOf(name: string): { address: string; attribute: string } {
  const parts = name.split('.')
  const length = parts[0] === 'data' ? 3 : 2
  const [attribute, ...rest] = parts.slice(length)
  if (attribute === undefined || rest.length > 0) throw new Error(`Not understood: the reference ${name}`)
  return { address: parts.slice(0, length).join('.'), attribute }
}

function evaluate(expression: string, lookup: Lookup): unknown {
  const tokens = tokensOf(expression)
  let at = 0
  const unexpected = (): Error =>
    new Error(`Not understood at "${tokens[at]?.text ?? 'the end'}": \${${expression}}`)
  const accept = (text: string): boolean => {
    if (tokens[at]?.text !== text) return false
    at += 1
    return true
  }
  const expect = (text: string): void => {
    if (!accept(text)) throw unexpected()
  }

  // From the loosest to the tightest, each calls the next one.
  const conditional = (): unknown => {
    const condition = either()
    if (!accept('?')) return condition
    const yes = conditional()
    expect(':')
    const no = conditional()
    return truth(condition) ? yes : no
  }
  const either = (): unknown => {
    let left = both()
    while (accept('||')) {
      const right = both()
      left = truth(left) || truth(right)
    }
    return left
  }
  const both = (): unknown => {
    let left = equality()
    while (accept('&&')) {
      const right = equality()
      left = truth(left) && truth(right)
    }
    return left
  }
  const equality = (): unknown => {
    const left = primary()
    if (accept('==')) return left === primary()
    if (accept('!=')) return left !== primary()
    return left
  }
  const primary = (): unknown => {
    if (accept('!')) return !truth(primary())
    if (accept('(')) {
      const value = conditional()
      expect(')')
      return value
    }
    const token = tokens[at]
    at += 1
    if (token?.string !== undefined) return token.string
    if (token?.number !== undefined) return token.number
    if (token?.text === 'true' || token?.text === 'false') return token.text === 'true'
    if (token?.name?.includes('.')) {
      const { address, attribute } = addressOf(token.name)
      return lookup(address, attribute)
    }
    if (token?.name !== undefined && accept('(')) return call(token.name, parameters())
    at -= 1
    throw unexpected()
  }
  const parameters = (): unknown[] => {
    const values = [conditional()]
    while (accept(',')) values.push(conditional())
    expect(')')
    return values
  }

  const value = conditional()
  if (at < tokens.length) throw unexpected()
  return value
}

function truth(value: unknown): boolean {
  if (typeof value !== 'boolean') throw new Error(`Neither true nor false: ${JSON.stringify(value)}`)
  return value
}

function call(name: string, [first, ...rest]: unknown[]): unknown {
  const numbers = rest.map(Number)
  if (name === 'element' && Array.isArray(first) && first.length > 0)
    return first[(numbers[0] ?? 0) % first.length]
  if (name === 'cidrsubnet' && typeof first === 'string')
    return subnetOf(first, numbers[0] ?? Number.NaN, numbers[1] ?? Number.NaN)
  throw new Error(`Not understood: ${name}(${JSON.stringify([first, ...rest])})`)
}

/** The part number `index` of a network, when its prefix grows by `moreBits`. IPv4 only. */
function subnetOf(network: string, moreBits: number, index: number): string {
  const [address = '', prefix = ''] = network.split('/')
  const bits = Number(prefix) + moreBits
  if (!(bits <= 32) || !(index < 2 ** moreBits))
    throw new Error(`There is no part ${index} of ${network} + ${moreBits} bits`)
  const start =
    address.split('.').reduce((sum, octet) => sum * 256 + Number(octet), 0) + index * 2 ** (32 - bits)
  return `${[24, 16, 8, 0].map((shift) => Math.floor(start / 2 ** shift) % 256).join('.')}/${bits}`
}
