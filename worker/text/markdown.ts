import type { Spoken, Summary } from '../../schemas/summary.ts'
import { languageName } from './hls-subtitles.ts'
import { speakerNames } from './names.ts'
import { modelMark } from './prompts.ts'

/** More would be scrolled past; all of them stand in summary.json. */
const mostScenes = 24
const scenesInARow = 3
/** A chapter needs no heading where there is only one. */
const fewestChapters = 2

type NameOf = (label: string | null) => string

/** `summary.md`: summary.json for people. Made from it alone. Pure. */
export const markdownOf = (summary: Summary): string => {
  const names = speakerNames(summary.speakers.map(({ label }) => label ?? undefined))
  const nameOf: NameOf = (label) => names(label ?? undefined)
  const blocks = [
    `# ${escaped(summary.title)}`,
    factsLine(summary),
    ...summaryBlock(summary, nameOf),
    ...speakersBlock(summary, nameOf),
    ...scenesBlock(summary),
    ...chaptersBlock(summary, nameOf),
    ...notesBlock(summary),
  ]
  return `${blocks.join('\n\n')}\n`
}

const factsLine = ({ durationS, language, speakers, scenes, speech }: Summary): string => {
  const known = speakers.filter(({ label }) => label !== null).length
  const facts = [
    clockOf(durationS),
    languageName(language ?? undefined),
    known === 0 ? undefined : counted(known, 'speaker'),
    speech === null || speech.words === 0 ? undefined : counted(speech.words, 'word'),
    scenes.length === 0 ? undefined : counted(scenes.length, 'scene'),
  ]
  return facts.filter((fact) => fact !== undefined).join(' · ')
}

const counted = (count: number, noun: string): string =>
  `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`

const summaryBlock = ({ summary, speech }: Summary, nameOf: NameOf): string[] => {
  const lines = summary.map((each) => quotation(each, nameOf))
  if (lines.length > 0) return ['## Summary', lines.join('\n')]
  return ['## Summary', speech === null ? 'There is no sound to summarise.' : 'Nobody was heard to speak.']
}

/** `- **0:34** Speaker 1: what was said` */
const quotation = ({ text, startS, speaker }: Spoken, nameOf: NameOf): string => {
  const when = startS === null ? '' : `**${clockOf(startS)}** `
  const who = speaker === null ? '' : `${nameOf(speaker)}: `
  return `- ${when}${who}${escaped(text)}`
}

const speakersBlock = ({ speakers }: Summary, nameOf: NameOf): string[] => {
  if (speakers.length === 0) return []
  const totalS = speakers.reduce((sum, { talkS }) => sum + talkS, 0)
  const rows = speakers.map(({ label, talkS, words }) => {
    const share = totalS === 0 ? 0 : Math.round((talkS / totalS) * 100)
    return `| ${nameOf(label)} | ${clockOf(talkS)} | ${share} % | ${words.toLocaleString('en')} |`
  })
  return [
    '## Speakers',
    ['| Who | Talk time | Share | Words |', '| --- | ---: | ---: | ---: |', ...rows].join('\n'),
  ]
}

/** Pictures side by side, as a table: a caption under each. */
const scenesBlock = ({ scenes }: Summary): string[] => {
  if (scenes.length === 0) return []
  const shown = longest(scenes, mostScenes)
  const rows = Array.from({ length: Math.ceil(shown.length / scenesInARow) }, (_, row) =>
    shown.slice(row * scenesInARow, (row + 1) * scenesInARow),
  )
  const columns = Math.min(scenesInARow, shown.length)
  const cells = (texts: readonly string[]) =>
    `| ${[...texts, ...Array<string>(columns - texts.length).fill('')].join(' | ')} |`
  const table = [
    cells([]),
    cells(Array<string>(columns).fill(':---:')),
    ...rows.flatMap((row) => [
      cells(
        row.map(({ picture, startS }) =>
          picture === null ? '' : `![Scene at ${clockOf(startS)}](${linked(picture)})`,
        ),
      ),
      cells(row.map(({ startS, endS }) => `**${clockOf(startS)}** – ${clockOf(endS)}`)),
    ]),
  ]
  const note =
    shown.length < scenes.length
      ? [`The ${shown.length} longest of ${scenes.length} scenes; all of them are in summary.json.`]
      : []
  return ['## Scenes', table.join('\n'), ...note]
}

const longest = (scenes: Summary['scenes'], count: number): Summary['scenes'] =>
  [...scenes]
    .sort((a, b) => b.endS - b.startS - (a.endS - a.startS) || a.startS - b.startS)
    .slice(0, count)
    .sort((a, b) => a.startS - b.startS)

const chaptersBlock = ({ chapters, speakers }: Summary, nameOf: NameOf): string[] => {
  if (chapters.length < fewestChapters) return []
  const parts = chapters.map((chapter) => {
    const about = capitalised(chapter.keyPhrases.slice(0, 3).map(escaped).join(', '))
    const heading = `### ${clockOf(chapter.startS)} – ${clockOf(chapter.endS)}${about === '' ? '' : ` · ${about}`}`
    // Where everybody speaks, nobody needs to be told.
    const isWorthTelling = speakers.length > 2 || chapter.speakers.length < speakers.length
    const who = isWorthTelling ? chapter.speakers.filter((label) => label !== null).map(nameOf) : []
    const lines = [
      ...(who.length === 0 ? [] : [`*${listed(who)}*\n`]),
      ...(chapter.words === 0 ? ['Nobody speaks.'] : chapter.summary.map((each) => quotation(each, nameOf))),
    ]
    return `${heading}\n\n${lines.join('\n')}`
  })
  return ['## Chapters', ...parts]
}

const capitalised = (text: string): string => text.replace(/^\p{Ll}/u, (letter) => letter.toUpperCase())

const listed = (names: readonly string[]): string =>
  new Intl.ListFormat('en', { type: 'conjunction' }).format(names)

const notesBlock = ({ warnings, summarizer, summary, speech }: Summary): string[] => {
  const confidence = speech?.confidence ?? null
  const notes = [
    ...warnings.map(({ message }) => escaped(message)),
    ...(summarizer === 'extractive' && summary.length > 0
      ? ['The sentences above are quotations, chosen by a program.']
      : []),
    ...(summarizer.startsWith(modelMark) && summary.length > 0
      ? [
          `The summary was written by a language model (${escaped(summarizer.slice(modelMark.length))}) and may be wrong.`,
        ]
      : []),
    ...(confidence === null
      ? []
      : [`The recogniser was ${Math.round(confidence * 100)} % sure of its words.`]),
  ]
  return notes.length === 0 ? [] : ['## Notes', notes.map((note) => `- ${note}`).join('\n')]
}

/** 0:07, 12:34, 1:02:03 */
export const clockOf = (seconds: number): string => {
  const whole = Math.floor(seconds + 1e-6)
  const two = (value: number) => String(value).padStart(2, '0')
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole / 60) % 60)]
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`
}

/** What somebody has said or named must not become markup, a link or an image. Pure. */
export const escaped = (text: string): string =>
  text
    .replace(/\s+/gu, ' ')
    .replace(/[\\`*_{}[\]<>#|~&!$]/g, '\\$&')
    // A list or a heading where a line begins.
    .replace(/^([-+=]|\d+[.)])/, (mark) => `${mark.slice(0, -1)}\\${mark.slice(-1)}`)
    // Some renderers make links of bare addresses.
    .replace(/(https?|ftp):\/\//gi, '$1:\u200b//')

/** A path in a link. Pure. */
const linked = (path: string): string =>
  path
    .split('/')
    .map((part) => encodeURIComponent(part).replace(/[()]/g, (mark) => (mark === '(' ? '%28' : '%29')))
    .join('/')
