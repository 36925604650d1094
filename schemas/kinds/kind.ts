import type { z } from 'zod'
import type { Settings } from '../spec.ts'

/** What a job does. One file per kind in this folder; a worker for it, if it has one, in `worker/kinds/`. */
export type Kind = {
  /** One sentence for people. */
  title: string
  /** Parameters: parsed at acceptance, so a worker can trust them. */
  params: z.ZodType<Record<string, unknown>>
  input: 'object' | 'optional'
  /**
   * true: carried out by our worker, which claims its launch, sends heartbeats and reports. false: any container; exit
   * code 0 is success, and nothing fences it.
   */
  claims: boolean
  /** Suffixes, lower case, of uploads that this kind takes when nobody named it. Empty: only by request. */
  uploadSuffixes: readonly string[]
  resources: Pick<Settings['resources'], 'cpu' | 'memory'>
}
