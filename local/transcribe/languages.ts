import { LanguageCode } from '@aws-sdk/client-transcribe'
import type { StartRequest } from './requests.ts'

const known: readonly string[] = Object.values(LanguageCode)

/** The usual region of a language that a recogniser names without one. Others: the first of AWS's list. */
const usual: Record<string, string> = {
  ar: 'ar-SA',
  de: 'de-DE',
  en: 'en-US',
  es: 'es-US',
  fr: 'fr-FR',
  pt: 'pt-BR',
  zh: 'zh-CN',
}

export type Language = { code: string; score?: number | undefined }

/**
 * The language of a transcript: the one that was asked for, else what the recogniser heard, as far as the request allows it.
 * One that nobody heard gets the score 0. Pure.
 */
export function languageOf(request: StartRequest, heard: string | undefined): Language {
  if (request.LanguageCode !== undefined) return { code: request.LanguageCode }
  const allowed: readonly string[] = request.LanguageOptions ?? known
  const found = heard === undefined ? undefined : matching(allowed, heard)
  if (found !== undefined) return { code: found, score: 1 }
  return { code: request.LanguageOptions?.[0] ?? 'en-US', score: 0 }
}

function matching(allowed: readonly string[], heard: string): string | undefined {
  const wanted = heard.replace('_', '-').toLowerCase()
  const exact = allowed.find((code) => code.toLowerCase() === wanted)
  if (exact !== undefined) return exact
  const [primary = ''] = wanted.split('-')
  const preferred = usual[primary]
  return preferred !== undefined && allowed.includes(preferred)
    ? preferred
    : allowed.find((code) => code.startsWith(`${primary}-`))
}
