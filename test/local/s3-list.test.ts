import { describe, expect, it } from 'vitest'
import { compareKeys, type ListRequest, listPage } from '../../local/s3/list.ts'

const keys = ['a', 'a/1', 'a/2', 'a/b/1', 'b', 'b/1', 'c', 'd//x', 'd/y', 'é', '\uffff', '😀'].sort(
  compareKeys,
)

function page(request: Partial<ListRequest>) {
  return listPage(keys, { prefix: '', delimiter: '', after: '', limit: 1000, ...request })
}

describe('compareKeys', () => {
  it('is the order of UTF-8 bytes', () => {
    const byBytes = [...keys].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    expect(keys).toEqual(byBytes)
    const byUtf16 = [...keys].sort((a, b) => (a < b ? -1 : 1))
    expect(byUtf16).not.toEqual(byBytes)
  })
})

describe('listPage', () => {
  it.each<[string, Partial<ListRequest>, string[], string[], string | undefined]>([
    ['everything', {}, keys, [], undefined],
    ['a prefix', { prefix: 'a/' }, ['a/1', 'a/2', 'a/b/1'], [], undefined],
    ['a prefix of no key', { prefix: 'x' }, [], [], undefined],
    ['one level', { delimiter: '/' }, ['a', 'b', 'c', 'é', '\uffff', '😀'], ['a/', 'b/', 'd/'], undefined],
    ['one level below a prefix', { prefix: 'a/', delimiter: '/' }, ['a/1', 'a/2'], ['a/b/'], undefined],
    ['a prefix without its slash', { prefix: 'a', delimiter: '/' }, ['a'], ['a/'], undefined],
    ['an empty level', { prefix: 'd/', delimiter: '/' }, ['d/y'], ['d//'], undefined],
    [
      'a delimiter of two characters',
      { delimiter: '//' },
      keys.filter((key) => key !== 'd//x'),
      ['d//'],
      undefined,
    ],
    ['what follows a key', { after: 'c' }, ['d//x', 'd/y', 'é', '\uffff', '😀'], [], undefined],
    [
      'what follows a text that is no key',
      { after: 'bb' },
      ['c', 'd//x', 'd/y', 'é', '\uffff', '😀'],
      [],
      undefined,
    ],
    ['a start before the prefix', { prefix: 'b', after: 'a' }, ['b', 'b/1'], [], undefined],
    ['a start behind the prefix', { prefix: 'a', after: 'b' }, [], [], undefined],
    ['a start inside a common prefix', { delimiter: '/', after: 'a/1', limit: 1 }, [], ['a/'], 'a/'],
    ['a page that ends at a key', { limit: 2 }, ['a', 'a/1'], [], 'a/1'],
    ['a page that ends at a common prefix', { delimiter: '/', limit: 2 }, ['a'], ['a/'], 'a/'],
    ['the page after a common prefix', { delimiter: '/', after: 'a/', limit: 2 }, ['b'], ['b/'], 'b/'],
    ['a page that is exactly full', { prefix: 'a/', limit: 3 }, ['a/1', 'a/2', 'a/b/1'], [], undefined],
    ['a page of nothing', { limit: 0 }, [], [], undefined],
  ])('lists %s', (_, request, expectedKeys, commonPrefixes, next) => {
    expect(page(request)).toEqual({
      keys: expectedKeys,
      commonPrefixes,
      ...(next === undefined ? {} : { next }),
    })
  })

  it('names every entry exactly once, whatever the size of the pages', () => {
    for (const delimiter of ['', '/', '/1']) {
      for (const prefix of ['', 'a', 'a/', 'd']) {
        const whole = page({ delimiter, prefix })
        for (let limit = 1; limit <= keys.length; limit += 1) {
          const seen = { keys: [] as string[], commonPrefixes: [] as string[] }
          let after: string | undefined = ''
          while (after !== undefined) {
            const next = page({ delimiter, prefix, after, limit })
            expect(next.keys.length + next.commonPrefixes.length).toBeLessThanOrEqual(limit)
            seen.keys.push(...next.keys)
            seen.commonPrefixes.push(...next.commonPrefixes)
            after = next.next
          }
          expect(seen).toEqual({ keys: whole.keys, commonPrefixes: whole.commonPrefixes })
        }
      }
    }
  })
})
