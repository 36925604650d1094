import type { Token } from './tokens.ts'

const phrasesEach = 5
/** Said once, a word is particular to a sentence and not to the whole. */
const fewestTimes = 2

type Phrase = { stems: string[]; writings: Map<string, number>; times: number }

/**
 * What each part is about: words, and pairs of words that stand together, which are said often in it and seldom in the others.
 * Pure.
 * @param parts sentences of each part, as tokens
 */
export const keyPhrases = (parts: readonly (readonly (readonly Token[])[])[]): string[][] => {
  const byPart = parts.map(phrasesIn)
  const partsWith = (key: string) => byPart.filter((phrases) => phrases.has(key)).length
  return byPart.map((phrases) => {
    const weighed = [...phrases]
      .filter(([, { times }]) => times >= fewestTimes)
      .map(([key, phrase]) => {
        // A pair says more than its words do.
        const weight = phrase.times * phrase.stems.length * Math.log(1 + parts.length / partsWith(key))
        return { ...phrase, key, weight }
      })
      .sort((a, b) => b.weight - a.weight || (a.key < b.key ? -1 : 1))
    const chosen: Phrase[] = []
    for (const phrase of weighed) {
      if (chosen.length === phrasesEach) break
      const isSaid = chosen.some(({ stems }) => phrase.stems.some((stem) => stems.includes(stem)))
      if (!isSaid) chosen.push(phrase)
    }
    return chosen.map(commonestWriting)
  })
}

const phrasesIn = (sentences: readonly (readonly Token[])[]): Map<string, Phrase> => {
  const phrases = new Map<string, Phrase>()
  const add = (stems: string[], writing: string): void => {
    const key = stems.join(' ')
    const phrase = phrases.get(key) ?? { stems, writings: new Map<string, number>(), times: 0 }
    phrase.times += 1
    phrase.writings.set(writing, (phrase.writings.get(writing) ?? 0) + 1)
    phrases.set(key, phrase)
  }
  for (const tokens of sentences)
    for (const [index, { word, stem, joint }] of tokens.entries()) {
      const before = tokens[index - 1]
      if ([...word].length > 1) add([stem], word)
      if (before !== undefined && joint !== undefined && before.stem !== stem)
        add([before.stem, stem], before.word + joint + word)
    }
  return phrases
}

const commonestWriting = ({ writings }: Phrase): string =>
  [...writings].sort(([a, first], [b, second]) => second - first || (a < b ? -1 : 1))[0]?.[0] ?? ''
