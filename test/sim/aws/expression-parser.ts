import { invalid, ModelGap } from './errors.ts'
import { isReserved } from './reserved-words.ts'

/** Names from the item down, as written: `#x` stands for a name of the request. */
export type Path = readonly string[]

export type Operand =
  | { is: 'path'; path: Path }
  | { is: 'value'; name: string }
  | { is: 'ifNotExists'; path: Path; otherwise: Operand }
  | { is: 'sum'; sign: 1 | -1; left: Operand; right: Operand }

export type Comparator = '=' | '<>' | '<' | '<=' | '>' | '>='

export type Condition =
  | { is: 'and' | 'or'; parts: readonly Condition[] }
  | { is: 'not'; part: Condition }
  | { is: 'exists'; path: Path; wanted: boolean }
  | { is: 'beginsWith'; left: Operand; right: Operand }
  | { is: 'compare'; comparator: Comparator; left: Operand; right: Operand }
  | { is: 'between'; value: Operand; from: Operand; to: Operand }

export type Update = {
  set: readonly { path: Path; value: Operand }[]
  remove: readonly Path[]
  add: readonly { path: Path; value: Operand }[]
}

/** A parsed expression, with the placeholders that it uses. */
export type Parsed<Tree> = { tree: Tree; names: ReadonlySet<string>; values: ReadonlySet<string> }

/**
 * The tree of a condition, filter or key condition. `label` names the parameter in errors.
 * @throws ValidationException like DynamoDB, ModelGap for what DynamoDB has and the model has not
 */
export const parseCondition = (text: string, label: string): Parsed<Condition> =>
  parsed(`${label} ${text}`, text, label, (reader) => disjunction(reader).condition) as Parsed<Condition>

/** The tree of an update expression. @throws as above */
export const parseUpdate = (text: string): Parsed<Update> =>
  parsed(text, text, 'UpdateExpression', clauses) as Parsed<Update>

// Few expressions are asked for many times, but their number has no bound of its own.
const rememberedAtMost = 5000
const remembered = new Map<string, Parsed<Condition | Update>>()

function parsed<Tree extends Condition | Update>(
  key: string,
  text: string,
  label: string,
  parse: (reader: Reader) => Tree,
): Parsed<Condition | Update> {
  const known = remembered.get(key)
  if (known !== undefined) return known
  if (remembered.size >= rememberedAtMost) remembered.clear()
  const reader = createReader(text, label)
  if (reader.peek() === '') throw invalid(`Invalid ${label}: The expression can not be empty;`)
  const tree = parse(reader)
  if (reader.peek() !== '') throw reader.unexpected()
  const result = { tree, names: reader.names, values: reader.values }
  remembered.set(key, result)
  return result
}

type Reader = ReturnType<typeof createReader>

function createReader(text: string, label: string) {
  const tokens = tokensOf(text, label)
  const names = new Set<string>()
  const values = new Set<string>()
  let at = 0
  const peek = (ahead = 0): string => tokens[at + ahead] ?? ''
  const wrong = (reason: string): Error => invalid(`Invalid ${label}: ${reason}`)
  const unexpected = (): Error => wrong(`Syntax error; token: "${peek() || '<EOF>'}", near: "${text}"`)
  const take = (): string => {
    if (at >= tokens.length) throw unexpected()
    at += 1
    return tokens[at - 1] ?? ''
  }
  return {
    names,
    values,
    peek,
    take,
    wrong,
    unexpected,
    /** Keywords are written in capitals or not. */
    isWord: (word: string): boolean => peek().toUpperCase() === word,
    takeIf(token: string): boolean {
      if (peek().toUpperCase() !== token) return false
      at += 1
      return true
    },
    expect(token: string): void {
      if (peek().toUpperCase() !== token) throw unexpected()
      at += 1
    },
  }
}

const token = /\s*(?:([A-Za-z][A-Za-z0-9_]*|[#:][A-Za-z0-9_]+|[0-9]+|<>|<=|>=|[=<>(),.+\-[\]])|$)/y

function tokensOf(text: string, label: string): string[] {
  const tokens: string[] = []
  token.lastIndex = 0
  while (token.lastIndex < text.length) {
    const from = token.lastIndex
    const match = token.exec(text)
    if (match === null)
      throw invalid(`Invalid ${label}: Syntax error; token: "${text[from]}", near: "${text.slice(from)}"`)
    if (match[1] === undefined) break
    tokens.push(match[1])
  }
  return tokens
}

/** `bare`: nothing but one pair of parentheses. A second pair around it is an error. */
type Part = { condition: Condition; bare: boolean }

function disjunction(reader: Reader): Part {
  return chain(reader, 'OR', 'or', (inner) => chain(inner, 'AND', 'and', negation))
}

function chain(reader: Reader, word: string, is: 'and' | 'or', next: (reader: Reader) => Part): Part {
  const first = next(reader)
  if (!reader.isWord(word)) return first
  const parts = [first.condition]
  while (reader.takeIf(word)) parts.push(next(reader).condition)
  return { condition: { is, parts }, bare: false }
}

function negation(reader: Reader): Part {
  if (reader.takeIf('NOT')) return { condition: { is: 'not', part: negation(reader).condition }, bare: false }
  if (!reader.takeIf('(')) return { condition: test(reader), bare: false }
  const inner = disjunction(reader)
  reader.expect(')')
  if (inner.bare) throw reader.wrong('The expression has redundant parentheses;')
  return { condition: inner.condition, bare: true }
}

function test(reader: Reader): Condition {
  if (reader.peek(1) === '(') return functionTest(reader)
  const left = plainOperand(reader)
  if (reader.takeIf('BETWEEN')) {
    const from = plainOperand(reader)
    reader.expect('AND')
    return { is: 'between', value: left, from, to: plainOperand(reader) }
  }
  if (reader.isWord('IN')) throw new ModelGap('The model has no IN')
  const comparator = reader.peek()
  if (!isComparator(comparator)) throw reader.unexpected()
  reader.take()
  return { is: 'compare', comparator, left, right: plainOperand(reader) }
}

const isComparator = (text: string): text is Comparator => /^(=|<>|<=?|>=?)$/.test(text)

function functionTest(reader: Reader): Condition {
  const name = reader.take()
  reader.expect('(')
  const condition = functionOf(name, reader)
  reader.expect(')')
  return condition
}

function functionOf(name: string, reader: Reader): Condition {
  switch (name) {
    case 'attribute_exists':
    case 'attribute_not_exists':
      return { is: 'exists', path: path(reader), wanted: name === 'attribute_exists' }
    case 'begins_with': {
      const left = plainOperand(reader)
      reader.expect(',')
      return { is: 'beginsWith', left, right: plainOperand(reader) }
    }
    case 'contains':
    case 'size':
    case 'attribute_type':
      throw new ModelGap(`The model has no ${name}`)
    default:
      throw reader.wrong(`Invalid function name; function: ${name}`)
  }
}

function plainOperand(reader: Reader): Operand {
  if (!reader.peek().startsWith(':')) return { is: 'path', path: path(reader) }
  const name = reader.take()
  reader.values.add(name)
  return { is: 'value', name }
}

function path(reader: Reader): Path {
  const names = [segment(reader)]
  while (reader.takeIf('.')) names.push(segment(reader))
  if (reader.peek() === '[') throw new ModelGap('The model has no paths into lists')
  return names
}

function segment(reader: Reader): string {
  if (!/^[A-Za-z#]/.test(reader.peek())) throw reader.unexpected()
  const name = reader.take()
  if (name.startsWith('#')) reader.names.add(name)
  else if (isReserved(name))
    throw reader.wrong(`Attribute name is a reserved keyword; reserved keyword: ${name}`)
  return name
}

function clauses(reader: Reader): Update {
  const set: { path: Path; value: Operand }[] = []
  const remove: Path[] = []
  const add: { path: Path; value: Operand }[] = []
  const given = new Set<string>()
  while (reader.peek() !== '') {
    const clause = reader.peek().toUpperCase()
    if (given.has(clause))
      throw reader.wrong(`The "${clause}" section can only be used once in an update expression;`)
    given.add(clause)
    if (reader.takeIf('SET')) list(reader, () => set.push(assignment(reader)))
    else if (reader.takeIf('REMOVE')) list(reader, () => remove.push(path(reader)))
    else if (reader.takeIf('ADD')) list(reader, () => add.push(addition(reader)))
    else if (clause === 'DELETE') throw new ModelGap('The model has no sets, so it has no DELETE')
    else throw reader.unexpected()
  }
  return { set, remove, add }
}

function list(reader: Reader, one: () => void): void {
  do one()
  while (reader.takeIf(','))
}

function assignment(reader: Reader): { path: Path; value: Operand } {
  const target = path(reader)
  reader.expect('=')
  const left = operand(reader)
  if (reader.peek() !== '+' && reader.peek() !== '-') return { path: target, value: left }
  const sign = reader.take() === '+' ? 1 : -1
  return { path: target, value: { is: 'sum', sign, left, right: operand(reader) } }
}

function addition(reader: Reader): { path: Path; value: Operand } {
  const target = path(reader)
  if (!reader.peek().startsWith(':')) throw reader.unexpected()
  return { path: target, value: plainOperand(reader) }
}

function operand(reader: Reader): Operand {
  if (reader.peek(1) !== '(') return plainOperand(reader)
  const name = reader.take()
  if (name === 'list_append') throw new ModelGap('The model has no list_append')
  if (name !== 'if_not_exists') throw reader.wrong(`Invalid function name; function: ${name}`)
  reader.expect('(')
  const tested = path(reader)
  reader.expect(',')
  const otherwise = operand(reader)
  reader.expect(')')
  return { is: 'ifNotExists', path: tested, otherwise }
}
