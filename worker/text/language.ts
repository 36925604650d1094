/** Languages that are written without spaces between words. */
const unspaced = new Set(['ja', 'zh', 'yue', 'wuu', 'th', 'lo', 'km', 'my', 'bo'])

export const primaryLanguage = (language: string | undefined): string =>
  (language ?? '').split('-')[0]?.toLowerCase() ?? ''

/** The language if Intl knows what to do with it, else English. Segmenting depends on it very little. */
export const segmentingLanguage = (language: string | undefined): string => {
  try {
    return Intl.getCanonicalLocales(language ?? 'en')[0] ?? 'en'
  } catch {
    return 'en'
  }
}

const wordAtEdge = /^[\p{Script=Latin}\p{N}]$/u

/**
 * What stands between two words of a text. Also where words are not parted by spaces, Latin words within it are. Pure.
 * @param glued the second is a piece of the same word
 */
export const gapBetween = (
  before: string,
  after: { text: string; glued?: boolean },
  language: string | undefined,
): '' | ' ' => {
  if (after.glued === true) return ''
  if (!unspaced.has(primaryLanguage(language))) return ' '
  // Marks and letters outside of the first plane take two units; neither is looked for here.
  const last = before.at(-1) ?? ''
  const first = after.text.at(0) ?? ''
  return wordAtEdge.test(last) && wordAtEdge.test(first) ? ' ' : ''
}

/** Words as a text. Pure. */
export const joinWords = (
  words: readonly { text: string; glued?: boolean }[],
  language: string | undefined,
): string =>
  words.reduce(
    (text, word, index) => (index === 0 ? word.text : text + gapBetween(text, word, language) + word.text),
    '',
  )

const graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' })
const wide =
  /\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Hangul}|\p{Script=Bopomofo}|\p{Extended_Pictographic}|[\u3000-\u303f\uff01-\uff60\uffe0-\uffe6]/u

/** What is drawn as one character, with the columns that it takes: two for East Asian ones. */
export const charactersOf = (text: string): { text: string; columns: 1 | 2 }[] =>
  [...graphemes.segment(text)].map(({ segment }) => ({ text: segment, columns: wide.test(segment) ? 2 : 1 }))

/** Columns that a text takes on a screen. Pure. */
export const columnsOf = (text: string): number =>
  // The usual case, which is asked for each word of a transcript.
  /^[\x20-\x7e]*$/.test(text)
    ? text.length
    : charactersOf(text).reduce((sum, { columns }) => sum + columns, 0)

/** Marks that end a sentence, with quotes and brackets that may follow. */
const sentenceEnd = /(?:[.!?…。！？｡؟।]|\u0964)["'”’»」』)\]]*$/u

/** Titles and the like, whose full stop ends nothing. */
const abbreviations = new Set(
  'mr mrs ms dr prof st jr sr vs etc e.g i.e approx dept est fig inc ltd no vol bzw ca evtl z.b d.h u.a usw nr str hr fr m mme mlle sra srta sig'.split(
    ' ',
  ),
)

/** Whether a text ends in an abbreviation or an initial, which Intl.Segmenter takes for the end of a sentence. Pure. */
export const endsInAbbreviation = (text: string): boolean => {
  const last = /(\S+)\.$/u.exec(text.trimEnd())?.[1]
  if (last === undefined) return false
  return abbreviations.has(last.toLowerCase()) || /^\p{Lu}$/u.test(last)
}

/** Pure. */
export const endsSentence = (text: string): boolean => sentenceEnd.test(text) && !endsInAbbreviation(text)

/** Pure. */
export const endsClause = (text: string): boolean => /[,;:、，；：،—–]["'”’»」』)\]]*$/u.test(text)
