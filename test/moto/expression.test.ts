import { describe, expect, test } from 'vitest'
import { type Lookup, references, resolve } from './expression.ts'

const known: Record<string, unknown> = {
  'aws_vpc.main-net_12AB.id': 'vpc-1',
  'aws_ssm_parameter.image.insecure_value': 'none',
  'data.aws_partition.here.partition': 'aws',
  'data.aws_availability_zones.all.names': ['us-east-1a', 'us-east-1b'],
}
const lookup: Lookup = (address, attribute) => {
  const value = known[`${address}.${attribute}`]
  if (value === undefined) throw new Error(`Nobody knows ${address}.${attribute}`)
  return value
}

describe('resolve', () => {
  test.each<[string, unknown, unknown]>([
    ['what has no reference stays', { a: [1, true, null, 'text'] }, { a: [1, true, null, 'text'] }],
    ['a reference', `\${aws_vpc.main-net_12AB.id}`, 'vpc-1'],
    [
      'a reference to data, within a text',
      `arn:\${data.aws_partition.here.partition}:s3:::a`,
      'arn:aws:s3:::a',
    ],
    ['several in one text', `\${aws_vpc.main-net_12AB.id},\${aws_vpc.main-net_12AB.id}`, 'vpc-1,vpc-1'],
    ['deep down', { a: [{ b: `\${aws_vpc.main-net_12AB.id}` }] }, { a: [{ b: 'vpc-1' }] }],
    ['an item of a list', `\${element(data.aws_availability_zones.all.names, 1)}`, 'us-east-1b'],
    [
      'an item past the end begins again',
      `\${element(data.aws_availability_zones.all.names, 2)}`,
      'us-east-1a',
    ],
    ['a part of a network', `\${cidrsubnet("10.40.0.0/16", 4, 1)}`, '10.40.16.0/20'],
    ['the last part', `\${cidrsubnet("10.40.0.0/16", 8, 255)}`, '10.40.255.0/24'],
    ['a condition keeps its number', `\${(aws_ssm_parameter.image.insecure_value == "none") ? 0 : 2}`, 0],
    ['not equal', `\${aws_ssm_parameter.image.insecure_value != "none" ? 0 : 2}`, 2],
    ['or', `\${(false || true) ? "yes" : "no"}`, 'yes'],
    ['and, not', `\${(true && !true) ? "yes" : "no"}`, 'no'],
    ['a brace in a string', `\${true ? "{a}" : "b"}`, '{a}'],
    ['a dollar that is meant', `$\${aws:username}`, `\${aws:username}`],
  ])('%s', (_what, value, expected) => {
    expect(resolve(value, lookup)).toEqual(expected)
  })

  test.each([
    ['a reference that nobody knows', `\${aws_vpc.other.id}`, 'Nobody knows aws_vpc.other.id'],
    ['a function that nobody knows', `\${upper("a")}`, 'Not understood: upper(["a"])'],
    ['a sign that nobody knows', `\${1 + 1}`, `Not understood from "+ 1" on: \${1 + 1}`],
    [
      'an end too early',
      `\${element(data.aws_availability_zones.all.names, 1}`,
      'Not understood at "the end"',
    ],
    ['something left over', `\${true false}`, 'Not understood at "false"'],
    ['a path too deep', `\${aws_vpc.main.tags.Name}`, 'Not understood: the reference aws_vpc.main.tags.Name'],
    ['a list within a text', `zones \${data.aws_availability_zones.all.names}`, 'is no text'],
    ['a condition that is no truth', `\${"a" ? 1 : 2}`, 'Neither true nor false: "a"'],
    ['a directive', '%{ if true }a%{ endif }', 'Directives are not understood'],
    ['a part that a network does not have', `\${cidrsubnet("10.0.0.0/16", 4, 16)}`, 'There is no part 16'],
  ])('refuses %s', (_what, text, message) => {
    expect(() => resolve(text, lookup)).toThrow(message)
  })
})

test('references are found wherever they stand', () => {
  expect(
    references({
      a: [
        `\${aws_vpc.one.id}`,
        `x \${element(data.aws_zones.two.names, 0)} \${true ? "aws_not.this.one" : ""}`,
      ],
      b: `$\${aws_vpc.meant.id}`,
    }),
  ).toEqual(['aws_vpc.one', 'data.aws_zones.two'])
})
