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
    expect(sentences({ list: [{}] })).toEqual(['list[0].name: nothing is not allowed: must be a text'])
  })

  test('of a field that a byte array has by itself', () => {
    const record = z.object({ progress: z.object({ at: z.string() }) })
    const value = { progress: new Uint8Array(3) }
    const parsed = record.safeParse(value)
    expect(parsed.success ? [] : problemsOf(parsed.error, value).map(sentenceOf)).toEqual([
      'progress.at: nothing is not allowed: must be given: a text',
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

describe('a value', () => {
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
