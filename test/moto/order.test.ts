import { expect, test } from 'vitest'
import { inOrder } from './order.ts'

const addresses = (...parts: Parameters<typeof inOrder>) => inOrder(...parts).map(({ address }) => address)

test('each comes after what it refers to or depends on, data among them', () => {
  expect(
    addresses({
      resource: {
        aws_a: { last: { x: `\${aws_b.middle.id}` } },
        aws_b: { middle: { depends_on: ['aws_c.first'], zone: `\${data.aws_d.zones.names}` } },
        aws_c: { first: {} },
      },
      data: { aws_d: { zones: {} } },
    }),
  ).toEqual(['data.aws_d.zones', 'aws_c.first', 'aws_b.middle', 'aws_a.last'])
})

test.each([
  [
    'to nothing',
    { aws_a: { one: { x: `\${aws_b.two.id}` } } },
    'aws_a.one refers to aws_b.two, which is not in the stack',
  ],
  [
    'in a circle',
    { aws_a: { one: { x: `\${aws_a.two.id}` }, two: { depends_on: ['aws_a.one'] } } },
    'A circle: aws_a.one -> aws_a.two -> aws_a.one',
  ],
])('a reference %s is an error', (_what, resource, message) => {
  expect(() => inOrder({ resource, data: {} })).toThrow(message)
})
