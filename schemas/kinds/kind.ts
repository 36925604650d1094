import type { z } from 'zod'
import type { Pipeline } from '../pipeline.ts'
import type { WorkerGroup } from '../resources.ts'
import type { Settings } from '../spec.ts'

/**
 * Where the tasks of a kind run: it decides their task definition, role and network. media: our worker, which reads uploads
 * and writes outputs. internet: our worker where it reaches the internet, and may not read uploads. seeding: our worker that
 * reads uploads and is reached from the internet by one port; only where somebody opened it (SEEDING_PORT). own: the task
 * definition of the user.
 */
export type TaskGroup = WorkerGroup | 'own'

/** What a job does. One file per kind in this folder; a worker for it, if it has one, in `worker/kinds/`. */
export type Kind = {
  /** One sentence for people. */
  title: string
  /** Parameters: parsed at acceptance, so a worker can trust them. */
  params: z.ZodType<Record<string, unknown>>
  /** object: bucket and key. url: an address on the internet. optional: an object, or nothing. */
  input: 'object' | 'optional' | 'url'
  /**
   * true: carried out by our worker, which claims its launch, sends heartbeats and reports. false: any container; exit
   * code 0 is success, and nothing fences it.
   */
  claims: boolean
  group: TaskGroup
  /** Suffixes, lower case, of uploads that this kind takes when nobody named it. Empty: only by request. */
  uploadSuffixes: readonly string[]
  resources: Pick<Settings['resources'], 'cpu' | 'memory'>
  /** Seconds that an attempt takes by what was asked for; it is given as many, where nobody said otherwise. */
  takesS?: (params: Record<string, unknown>) => number
  /** What carries out an attempt. Absent: an ECS task. */
  runner?: 'transcribe'
  /** What it returns, for the pipeline that it is a step of. Absent: anything. */
  result?: z.ZodType<Record<string, unknown>>
  /** A job of this kind is a pipeline: it has children instead of a task. */
  pipeline?: Pipeline
  /**
   * Its task may find the work too much for one task. Then it returns `split`, and the job goes on as this pipeline, whose
   * steps get what stands in there.
   */
  splits?: Pipeline
  /** Only as a step of a pipeline. */
  isStep?: true
}
