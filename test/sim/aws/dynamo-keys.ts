import type { IndexShape, Stretch } from './dynamo-index.ts'
import { compareText, numberOf, typeOf } from './dynamo-values.ts'
import { invalid, ModelGap } from './errors.ts'
import type { Condition, Operand } from './expression-parser.ts'
import { namesOf, type Placeholders } from './expressions.ts'

type Range = string | number

/** Which line of an index a key condition means, and which stretch of it. @throws ValidationException */
export function keyCondition(
  condition: Condition,
  shape: IndexShape,
  placeholders: Placeholders,
): { hash: string; stretch: Stretch } {
  const parts = condition.is === 'and' ? condition.parts : [condition]
  const tests = new Map(parts.map((part) => [attributeOf(part, placeholders), part]))
  const hashTest = tests.get(shape.hash)
  if (hashTest === undefined) throw invalid(`Query condition missed key schema element: ${shape.hash}`)
  if (hashTest.is !== 'compare' || hashTest.comparator !== '=')
    throw invalid('Query key condition not supported')
  if (tests.size !== parts.length || tests.size > 2) throw invalid('Query key condition not supported')
  const hash = valueIn(hashTest.right, 'S', placeholders) as string
  if (tests.size === 1) return { hash, stretch: whole }
  const rangeTest = tests.get(shape.range)
  if (rangeTest === undefined) throw invalid(`Query condition missed key schema element: ${shape.range}`)
  return { hash, stretch: stretchOf(rangeTest, shape.rangeType, placeholders) }
}

const whole: Stretch = { starts: () => true, ends: () => false }

function attributeOf(part: Condition, placeholders: Placeholders): string {
  const operand =
    part.is === 'compare' || part.is === 'beginsWith' ? part.left : part.is === 'between' && part.value
  if (operand === false) throw invalid('Invalid operator used in KeyConditionExpression')
  if (operand.is !== 'path') throw new ModelGap('The model wants the attribute first in a key condition')
  const names = namesOf(operand.path, placeholders)
  if (names.length > 1) throw invalid('KeyConditionExpressions cannot have conditions on nested attributes')
  return names[0] ?? ''
}

function stretchOf(test: Condition, type: 'S' | 'N', placeholders: Placeholders): Stretch {
  const bound = (operand: Operand) => valueIn(operand, type, placeholders)
  switch (test.is) {
    case 'compare': {
      const value = bound(test.right)
      const from = (range: Range) => order(range, value) >= 0
      const behind = (range: Range) => order(range, value) > 0
      switch (test.comparator) {
        case '=':
          return { starts: from, ends: behind }
        case '<':
          return { ...whole, ends: from }
        case '<=':
          return { ...whole, ends: behind }
        case '>':
          return { ...whole, starts: behind }
        case '>=':
          return { ...whole, starts: from }
        case '<>':
          throw invalid('Unsupported operator on KeyCondition: operator: <>')
        default:
          throw test.comparator satisfies never
      }
    }
    case 'between': {
      const low = bound(test.from)
      const high = bound(test.to)
      return { starts: (range) => order(range, low) >= 0, ends: (range) => order(range, high) > 0 }
    }
    case 'beginsWith': {
      if (type === 'N') throw invalid('Query key condition not supported')
      const prefix = bound(test.right) as string
      const from = (range: Range) => order(range, prefix) >= 0
      return { starts: from, ends: (range) => from(range) && !String(range).startsWith(prefix) }
    }
    default:
      throw invalid('Invalid operator used in KeyConditionExpression')
  }
}

const order = (a: Range, b: Range): number =>
  typeof a === 'number' ? a - (b as number) : compareText(a, b as string)

function valueIn(operand: Operand, type: 'S' | 'N', { values }: Placeholders): Range {
  const value = operand.is === 'value' ? values?.[operand.name] : undefined
  if (value === undefined) throw invalid('Invalid condition in KeyConditionExpression')
  if (typeOf(value) !== type)
    throw invalid(
      'One or more parameter values were invalid: Condition parameter type does not match schema type',
    )
  return type === 'N' ? numberOf(value) : (value as string)
}
