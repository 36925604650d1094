import { primaryLanguage, segmentingLanguage } from './language.ts'

/** Words that say nothing about what a text is about. Other languages have none here: their idf does most of it. */
const stopWords: Record<string, Set<string>> = Object.fromEntries(
  Object.entries({
    en: `a about after again all also am an and any are as at be because been before being but by can could did do does doing
      don't down during each few for from further get got had has have having he her here hers him his how i i'm if in into
      is isn't it it's its just let's like me more most my no nor not now of off okay on once one only or other our out over
      own really right said same say she should so some such than that that's the their them then there there's these they
      they're thing things think this those through to too um uh under until up us very was we we're well were what when
      where which while who whom why will with would yeah yes you you're your yours begin bye call come comes could easily
      excellent finally going goodbye gonna good great happen happens hello hi know knows long longer look looks lot make
      makes made many maybe mean means meanwhile much need needs please see soon sure take takes tell thank thanks today
      tomorrow told took want wants way welcome well i'll we'll you'll they'll i've we've i'd what's here's there'll`,
    de: `aber alle als also am an auch auf aus bei bin bis bist da das dass dem den der des die dies diese dieser doch dort du
      ein eine einem einen einer es für haben hat hatte hier ich ihr ihre im in ist ja jetzt kann kein man mehr mein mit
      nach nicht noch nur oder schon sehr sein sich sie sind so und uns unter vom von vor war was wenn werden wie wir wird
      zu zum zur über`,
    es: `a al algo como con de del desde donde el ella en entre era es esa ese esta este esto fue ha hay la las le lo los más me
      mi muy no nos o para pero por porque que qué se ser si sí sin sobre son su sus también te tiene un una uno y ya yo`,
    fr: `à au aussi avec ce ces cette dans de des du elle elles en est et être eux il ils je la le les leur lui mais me même mes
      moi mon ne nos notre nous on ou où par pas plus pour qu que qui sa se ses son sur ta te tu un une vos votre vous y`,
    it: `a al alla anche che chi ci come con da dal del della di e è gli ha ho i il in io la le lo ma mi ne nel nella no noi non
      o per più quando questo se si sono su tra un una uno`,
    pt: `a ao as com como da das de do dos e é ela ele em era essa esse esta este eu foi há isso já mais mas me na não nas no nos
      o os ou para pela pelo por que se sem ser seu sua também te tem um uma você`,
    nl: `aan als bij dan dat de der deze die dit door een en er had heb heeft het hij hoe ik in is je maar me meer met mijn naar
      niet nog nu of om ons ook op over te toch u uit van voor was wat we wel wij ze zijn zo`,
  }).map(([language, words]) => [language, new Set(words.split(/\s+/u))]),
)

/** A word that says what a text is about. */
export type Token = {
  /** As it is written, in lower case. */
  word: string
  /** The same for singular and plural, where that is easy to tell. */
  stem: string
  /** What stands between it and the token before, if that is nothing but a space. */
  joint: '' | ' ' | undefined
}

export type Tokenizer = (text: string) => Token[]

/** Words in lower case, without numbers and the commonest words. Pure. */
export const tokenizer = (language: string | undefined): Tokenizer => {
  const locale = segmentingLanguage(language)
  const segmenter = new Intl.Segmenter(locale, { granularity: 'word' })
  const stops = stopWords[primaryLanguage(language)] ?? new Set()
  const stem = primaryLanguage(language) === 'en' ? singular : (word: string) => word
  return (text) => {
    const tokens: Token[] = []
    let joint: Token['joint']
    for (const { segment, isWordLike } of segmenter.segment(text.replaceAll('’', "'"))) {
      const word = segment.toLocaleLowerCase(locale)
      if (isWordLike === true && /\p{L}/u.test(word) && !stops.has(word)) {
        tokens.push({ word, stem: stem(word), joint })
        joint = ''
      } else joint = joint === '' && segment === ' ' ? ' ' : undefined
    }
    return tokens
  }
}

const singular = (word: string): string =>
  /[^aeious]s$/.test(word) || /[^aiou]es$/.test(word) ? word.replace(/s$/, '') : word
