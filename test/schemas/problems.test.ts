import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { maskSecrets, problemsOf, sentenceOf, summaryOf } from '../../schemas/problems.ts'

const schema = z.strictObject({
  priority: z.number().max(9, { error: 'must be at most 9' }).optional(),
  list: z.array(z.object({ name: z.string({ error: 'must be a text' }) })).optional(),
  api_token: z.string().min(16, { error: 'must have at least 16 characters' }).optional(),
  text: z.string().max(5, { error: 'is too long' }).optional(),
})

const sentences = (value: unknown, prefix: string[] = []): string[] => {
  const parsed = schema.safeParse(value)
  return parsed.success ? [] : problemsOf(parsed.error, value, prefix).map(sentenceOf)
}

describe('a sentence names the field, the value and the rule', () => {
  test('of a field', () => {
    expect(sentences({ priority: 12 })).toEqual(['priority: 12 is not allowed: must be at most 9'])
  })

  test('of a field inside of another, the way a person would write it', () => {
    expect(sentences({ list: [{ name: 'a' }, { name: 7 }] }, ['spec'])).toEqual([
      'spec.list[1].name: 7 is not allowed: must be a text',
    ])
  })

  test('of a missing field', () => {
    expect(sentences({ list: [{}] })).toEqual(['list[0].name: must be a text'])
  })

  test('of a field that a byte array has by itself', () => {
    const record = z.object({ progress: z.object({ at: z.string() }) })
    const value = { progress: new Uint8Array(3) }
    const parsed = record.safeParse(value)
    expect(parsed.success ? [] : problemsOf(parsed.error, value).map(sentenceOf)).toEqual([
      'progress.at: must be given: a text',
    ])
  })

  test('of an unknown field', () => {
    expect(sentences({ priorty: 1 })[0]).toMatch(/priorty/)
  })

  test('of the whole', () => {
    expect(sentences('fast please')[0]).toMatch(/^\(whole\): "fast please"/)
  })

  test('of every problem, in one line of limited length', () => {
    const value = { priority: 12, text: 'x'.repeat(50), list: [{}, {}, {}] }
    const parsed = schema.safeParse(value)
    const problems = parsed.success ? [] : problemsOf(parsed.error, value)
    expect(problems).toHaveLength(5)
    expect(summaryOf(problems)).toContain('; ')
    expect(summaryOf(problems, 80)).toHaveLength(80)
    expect(summaryOf(problems, 80)).toMatch(/\.\.\.$/)
  })
})

describe('a rule is said in words for people, whatever zod says', () => {
  const choice = z.enum(['mp3', 'flac'])
  const named = z.record(z.string().regex(/^[A-Z]+$/, { error: 'must be capitals' }), z.string())
  test.each<[string, z.ZodType, unknown, string]>([
    ['a number below its least', z.number().min(32), -5, 'must be at least 32'],
    ['a number above its most', z.number().max(9.5), 10, 'must be at most 9.5'],
    ['a number that must be above', z.number().positive(), 0, 'must be more than 0'],
    ['a number that must be below', z.number().lt(1), 1, 'must be less than 1'],
    ['a fraction', z.number().int(), 128.5, 'must be a whole number'],
    ['a number between the steps', z.number().multipleOf(4), 6, 'must be a multiple of 4'],
    ['an empty text', z.string().min(1), '', 'must not be empty'],
    ['a text too short', z.string().min(3), 'ab', 'must be at least 3 characters'],
    ['a text too long', z.string().max(1), 'ab', 'must be at most 1 character'],
    ['a text of another length', z.string().length(2), 'abc', 'must be exactly 2 characters'],
    ['a text of another form', z.string().regex(/^a$/), 'b', 'must match pattern /^a$/'],
    ['an empty list', z.array(z.string()).min(1), [], 'must not be empty'],
    ['a list too short', z.array(z.string()).min(2), ['a'], 'must be at least 2 entries'],
    ['a list too long', z.array(z.number()).max(5), [1, 2, 3, 4, 5, 6], 'must be at most 5 entries'],
    ['no choice', choice, 'MP3', 'must be one of: mp3, flac'],
    ['no choice at all', choice, undefined, 'must be one of: mp3, flac'],
    ['no choice among numbers', z.literal([16, 24]), 32, 'must be one of: 16, 24'],
    ['the only choice', z.literal('mp3'), 'flac', 'must be mp3'],
    ['a field with a name that it must not have', named, { a: 'x' }, 'its name must be capitals'],
    ['words of our own', z.number().max(9, { error: 'is too much' }), 10, 'is too much'],
  ])('%s', (_name, of, value, rule) => {
    const parsed = of.safeParse(value)
    expect(parsed.success ? [] : problemsOf(parsed.error, value).map((problem) => problem.rule)).toEqual([
      rule,
    ])
  })
})

describe('a value', () => {
  test('inside of a text that was read as JSON is shown', () => {
    const json = z.string().transform((text) => JSON.parse(text) as unknown)
    const settings = { QUEUES: '{"batch":{"maxRunning":-1}}' }
    const parsed = z
      .object({ QUEUES: json.pipe(z.record(z.string(), z.object({ maxRunning: z.number().min(0) }))) })
      .safeParse(settings)
    expect(parsed.success ? [] : problemsOf(parsed.error, settings).map(sentenceOf)).toEqual([
      'QUEUES.batch.maxRunning: -1 is not allowed: must be at least 0',
    ])
  })

  test('is cut at 100 characters', () => {
    expect(sentences({ text: 'x'.repeat(300) })[0]).toBe(
      `text: "${'x'.repeat(99)}... is not allowed: is too long`,
    )
  })

  test('of a field that is called like a secret is never shown', () => {
    expect(sentences({ api_token: 'hunter2' })[0]).toBe(
      'api_token: *** is not allowed: must have at least 16 characters',
    )
  })

  test('holding something that is called like a secret is shown without it', () => {
    expect(sentences([{ userPassword: 'hunter2', name: 'anna' }])[0]).toContain('"userPassword":"***"')
    expect(sentences([{ userPassword: 'hunter2' }])[0]).not.toContain('hunter2')
  })

  test('of two fields called like secrets, likewise', () => {
    const [sentence] = sentences([{ accessToken: 'hunter2', clientSecret: 'hunter3' }])
    expect(sentence).not.toMatch(/hunter/)
  })

  test('that is a presigned link is shown without its signature', () => {
    const link = 'https://b.s3.amazonaws.com/k?X-Amz-Signature=abc&X-Amz-Credential=AKIA'
    expect(sentences({ text: link })[0]).not.toMatch(/abc|AKIA/)
  })
})

describe('masks', () => {
  test.each([
    ['https://h/k?X-Amz-Signature=abc123&x=1', 'https://h/k?X-Amz-Signature=***&x=1'],
    ['https://h/k?a=1&x-amz-security-token=abc', 'https://h/k?a=1&x-amz-security-token=***'],
    ['https://h/k?AWSAccessKeyId=AKIA&Signature=s%3D', 'https://h/k?AWSAccessKeyId=***&Signature=***'],
    ['http://anna:hunter2@h/k', 'http://anna:***@h/k'],
    ['see https://h/k?Signature=abc "quoted"', 'see https://h/k?Signature=*** "quoted"'],
    ['nothing secret', 'nothing secret'],
  ])('%s', (text, masked) => expect(maskSecrets(text)).toBe(masked))
})
