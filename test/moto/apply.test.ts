import { describe, expect, test } from 'vitest'
import type { Synthesized } from '../support/synthesized.ts'
import { apply, type Send } from './apply.ts'
import { Refused } from './calls.ts'
import { differences } from './differences.ts'
import { byType } from './outcomes.ts'

const stackOf = (resource: Synthesized['resource']): Synthesized => ({
  resource,
  data: {},
  output: {},
  provider: { aws: [{ default_tags: [{ tags: { Project: 'p' } }] }] },
  terraform: {},
})

const topicAndPolicy = stackOf({
  aws_sns_topic_policy: { policy: { arn: `\${aws_sns_topic.topic.arn}`, policy: '{}' } },
  aws_sns_topic: { topic: { name: 't' } },
})

/** An SNS that keeps a topic's policy, unless told to forget it. */
const sns =
  (fault?: 'refuses' | 'forgets'): Send =>
  async (call) => {
    if (fault === 'refuses' && call.operation === 'CreateTopic')
      throw new Refused(call, 'Throttled', 'No. 17')
    const Attributes = { TopicArn: 'arn:t', ...(fault !== 'forgets' && { Policy: '{ }' }) }
    return { TopicArn: 'arn:t', Attributes }
  }

describe('apply', () => {
  test('makes all and puts in what came of it', async () => {
    const { outcomes, resolve } = await apply(topicAndPolicy, sns())
    expect(byType(outcomes)).toEqual({ aws_sns_topic: 'created', aws_sns_topic_policy: 'created' })
    expect(resolve(`of \${aws_sns_topic.topic.arn}`)).toBe('of arn:t')
  })

  test('what is refused is noted without what changes, and so is what needs it', async () => {
    const { outcomes, resolve } = await apply(topicAndPolicy, sns('refuses'))
    expect(byType(outcomes)).toEqual({
      aws_sns_topic: { notCreated: ['CreateTopic: Throttled'] },
      aws_sns_topic_policy: { notCreated: ['needs aws_sns_topic.topic'] },
    })
    expect(() => resolve(`\${aws_sns_topic.topic.arn}`)).toThrow('Nobody knows aws_sns_topic.topic.arn')
  })

  test('what is accepted and then not there is not kept', async () => {
    const { outcomes } = await apply(topicAndPolicy, sns('forgets'))
    expect(byType(outcomes)).toMatchObject({
      aws_sns_topic_policy: { notKept: ['GetTopicAttributes Policy'] },
    })
  })

  test('a setting that no request has taken up is an error', async () => {
    const stack = stackOf({ aws_sns_topic: { topic: { name: 't', kms_master_key_id: 'k' } } })
    await expect(apply(stack, sns())).rejects.toThrow('Nothing was made of kms_master_key_id')
  })

  test('so is a type that nobody knows', async () => {
    await expect(apply(stackOf({ aws_new_thing: { a: {} } }), sns())).rejects.toThrow(
      'Nobody knows how to make aws_new_thing',
    )
  })
})

test.each<[string, unknown, unknown, string[]]>([
  ['more than wanted is fine', { a: 1, b: 2 }, { a: 1 }, []],
  ['another value', { a: { b: 1 } }, { a: { b: 2 } }, ['a.b']],
  ['a field that is missing', {}, { a: 1 }, ['a']],
  ['a list of another length', { a: [1, 2] }, { a: [1] }, ['a']],
  ['one item of a list', [{ a: 1 }, { a: 2 }], [{ a: 1 }, { a: 3 }], ['1.a']],
  ['JSON that is written otherwise', '{ "a": 1 }', '{"a":1}', []],
  ['JSON that says something else', { p: '{"a":1}' }, { p: '{"a":2}' }, ['p.a']],
  ['nothing where there should be nothing', undefined, undefined, []],
])('differences: %s', (_what, seen, wanted, expected) => {
  expect(differences(seen, wanted)).toEqual(expected)
})

test('of a type that is whole in part only it says in how many', () => {
  expect(
    byType(
      new Map([
        ['aws_b.one', { made: true, notKept: [] }],
        ['aws_b.two', { made: true, notKept: ['x'] }],
        ['aws_a.one', { made: false, error: 'e' }],
        ['aws_a.two', { made: false, error: 'e' }],
      ]),
    ),
  ).toEqual({ aws_a: { notCreated: ['e'] }, aws_b: { notKept: ['x (1 of 2)'] } })
})
