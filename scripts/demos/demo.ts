import type { MediaTools } from '../../worker/ffmpeg.ts'

/** What a demonstration gets to work with: the running system, as any user has it. */
export type Stage = {
  /** Where the API is. */
  url: string
  /** Where the local AWS is, for what a person does with an SDK. */
  endpoint: string
  /** Absolute path of an empty folder that is removed at the end. */
  scratch: string
  tools: MediaTools
  /** A file that was named on the command line, instead of one that is made. */
  file: string | undefined
  /** One line for the person who watches. */
  say: (line: string) => void
  /** GET, or POST where there is a body. @throws the sentence of the API */
  ask: <T>(path: string, body?: unknown) => Promise<T>
  /** Puts a file into the uploads bucket as any user does. @returns the id of the job that it became */
  upload: (file: string, kind: string) => Promise<string>
  /** Called when the demonstration is over, however it ended; the last one first. */
  atEnd: (act: () => Promise<void>) => void
}

/** One kind of work, shown from input to result. One file per kind in this folder. */
export type Demo = {
  /** Variables of the configuration that this one needs, over those of the user. */
  configuration?: Readonly<Record<string, string>>
  /** Makes the input, where none was named, and starts the job. @returns its id */
  start: (stage: Stage) => Promise<string>
  /** What a person does while it runs; for a recording that is to be stopped, say. */
  meanwhile?: (stage: Stage, jobId: string) => Promise<void>
  /** The phase that it has to end in. Default: Succeeded. */
  endsAs?: string
  /** What can be done with the files. */
  hint?: string
  /** Looks at what was made, in `folder`. @throws what is wrong with it */
  check?: (stage: Stage, folder: string) => Promise<void>
}
