import type { Problem } from '../schemas/problems.ts'

/**
 * Everything that the controller refuses or fails with, in one place: what happened, and what to do about it. `{name}` stands
 * for a detail. An entry with a status is an answer of the API; one without ends the start of the process or is logged.
 */
export const errorCatalogue = {
  REQUEST_INVALID: {
    status: 400,
    message: 'The request is not valid.',
    whatToDo: 'Every field that is wrong is listed under problems, with its rule.',
  },
  REQUEST_MALFORMED: {
    status: 400,
    message: 'The request is not HTTP that can be read: {detail}.',
    whatToDo: 'Look at what sits between client and server.',
  },
  BODY_INVALID: {
    status: 400,
    message: 'The body is not valid JSON: {detail}.',
    whatToDo: 'Send one JSON object.',
  },
  PAGE_TOKEN_INVALID: {
    status: 400,
    message: 'The {parameter} of the request belongs to no page.',
    whatToDo: 'Use it as the page before gave it, with the same filters, or begin without it.',
  },
  TOKEN_MISSING: {
    status: 401,
    message: 'This needs a token.',
    whatToDo: 'Send the header "Authorization: Bearer <API_TOKEN>".',
  },
  TOKEN_INVALID: {
    status: 401,
    message: 'The token is not valid.',
    whatToDo: 'Send the API_TOKEN (or, to read, the API_READ_TOKEN) that the controller was started with.',
  },
  TOKEN_READ_ONLY: {
    status: 403,
    message: 'The token is for reading only.',
    whatToDo: 'Send the API_TOKEN that the controller was started with.',
  },
  HOST_NOT_LOCAL: {
    status: 403,
    message: 'Without a token this is only for this machine, and {host} is not a name of it.',
    whatToDo: 'Use 127.0.0.1 or localhost, or set API_TOKEN and send it.',
  },
  ORIGIN_FOREIGN: {
    status: 403,
    message: 'A page of {origin} may not use this API.',
    whatToDo: 'Call it from its own page, or from a program.',
  },
  ENDPOINT_NOT_FOUND: {
    status: 404,
    message: 'There is no {method} {path}.',
    whatToDo: 'GET /openapi.json lists what there is.',
  },
  JOB_NOT_FOUND: {
    status: 404,
    message: 'There is no job {jobId}.',
    whatToDo: 'GET /jobs lists those there are; a finished one is removed after spec.ttlAfterFinished.',
  },
  ATTEMPT_NOT_FOUND: {
    status: 404,
    message: 'Job {jobId} has no attempt {attempt} in its record.',
    whatToDo: 'Its attempts are listed by GET /jobs/{jobId}; the record keeps the last 50.',
  },
  LOG_NOT_FOUND: {
    status: 404,
    message: 'There is no log of attempt {attempt}: {detail}.',
    whatToDo: 'Try again once its task has run for a moment.',
  },
  OUTPUTS_NOT_FOUND: {
    status: 404,
    message: 'There are no outputs of job {jobId}.',
    whatToDo:
      'They are there once it has Succeeded, until another job writes to the same spec.output; a container of your own has to write their manifest.json itself.',
  },
  JOB_ID_TAKEN: {
    status: 409,
    message: 'Job {jobId} exists with another kind or spec.',
    whatToDo: 'Choose another jobId or idempotency key, or send the same body again.',
  },
  JOB_ID_SPENT: {
    status: 409,
    message: 'There has been a job {jobId} with another kind or spec, and its record was removed.',
    whatToDo:
      'Choose another jobId or idempotency key; this one is free again 15 days after the removal at the earliest.',
  },
  JOB_FINISHED: {
    status: 409,
    message: 'Job {jobId} is {phase}, and {action} is for jobs that are not finished.',
    whatToDo: 'Use retry to run it again.',
  },
  JOB_NOT_FINISHED: {
    status: 409,
    message: 'Job {jobId} is {phase}, and retry is for finished jobs.',
    whatToDo: 'Wait for its end, or cancel it first.',
  },
  JOB_CHANGED: {
    status: 409,
    message: 'Job {jobId} changed in this very moment.',
    whatToDo: 'Look at it and ask again.',
  },
  JOB_DAMAGED: {
    status: 409,
    message: 'The spec of job {jobId} is not an object, so nothing can be noted in it.',
    whatToDo: 'Put a new record under this id.',
  },
  UPLOAD_MISSING: {
    status: 409,
    message: 'The file of this upload is not there yet.',
    whatToDo: 'PUT it to the url that POST /uploads gave, then confirm again.',
  },
  UPLOAD_WITHOUT_JOB: {
    status: 409,
    message: 'The file {key} is there, and the rules for uploads make no job of it.',
    whatToDo: 'Look at UPLOAD_TRIGGERS, or name the file in spec.input of POST /jobs.',
  },
  BODY_TOO_LARGE: {
    status: 413,
    message: 'The body is larger than {limit} bytes.',
    whatToDo: 'Put large things into the uploads bucket and name them in spec.input.',
  },
  BODY_NOT_JSON: {
    status: 415,
    message: 'The content type of the body is not application/json.',
    whatToDo: 'Send JSON with the header "Content-Type: application/json".',
  },
  TOO_MANY_REQUESTS: {
    status: 429,
    message: 'More than {max} requests in a minute.',
    whatToDo: 'Ask again after the seconds in the header Retry-After.',
  },
  INTERNAL_ERROR: {
    status: 500,
    message: 'Something went wrong that nobody foresaw.',
    whatToDo: 'The log of the controller has the details under request {requestId}.',
  },
  MANIFEST_DAMAGED: {
    status: 500,
    message: 'The manifest {key} of the outputs is not in the form that workers write: {detail}.',
    whatToDo: 'Look at the object; a retry of the job writes a new one.',
  },
  NOT_READY: {
    status: 503,
    message: 'Not ready: {detail}.',
    whatToDo: 'It gets ready by itself once that has passed.',
  },
  STATUS_UNKNOWN: {
    status: 503,
    message: 'No leader has published its status yet.',
    whatToDo: 'It comes within seconds of the first start; if not, look at the log of the controller.',
  },
  AWS_UNAVAILABLE: {
    status: 503,
    message: 'AWS did not answer as it should: {detail}.',
    whatToDo: 'Ask again after a while; if it stays, look at credentials, permissions and names.',
  },
  TOKEN_NEEDED: {
    message: 'HOST is {host}, which other machines can reach, and there is no API_TOKEN.',
    whatToDo: 'Set API_TOKEN to at least 16 secret characters, or HOST to 127.0.0.1.',
  },
  PORT_IN_USE: {
    message: 'Port {port} of {host} is in use, maybe by another controller.',
    whatToDo: 'Stop that one, or set PORT to another port (0: any free one).',
  },
  AWS_NOT_REACHED: {
    message: 'AWS does not answer at {endpoint}: {detail}.',
    whatToDo:
      'Check region, network and credentials; on one machine, start the local AWS first (npm run local).',
  },
  QUEUE_NOT_FOUND: {
    message: 'There is no queue {queue}.',
    whatToDo:
      'Make the infrastructure first, or set JOBS_QUEUE, JOBS_DLQ and TASK_EVENTS_QUEUE to queues that are there.',
  },
  TABLE_NOT_FOUND: {
    message: 'There is no table {table}.',
    whatToDo: 'Make the infrastructure first, or set JOBS_TABLE and CONTROL_TABLE to tables that are there.',
  },
  ADDRESS_UNAVAILABLE: {
    message: 'Cannot listen on {host}, port {port}: {detail}.',
    whatToDo: 'Set HOST to an address of this machine and PORT to one that it may use.',
  },
} as const satisfies Record<string, { status?: number; message: string; whatToDo: string }>

export type ErrorCode = keyof typeof errorCatalogue

type NamesIn<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}`
  ? Name | NamesIn<Rest>
  : never
/** The details that the sentences of a code speak of. */
export type ErrorDetails<Code extends ErrorCode> = Readonly<
  Record<
    NamesIn<(typeof errorCatalogue)[Code]['message']> | NamesIn<(typeof errorCatalogue)[Code]['whatToDo']>,
    string | number
  >
>

/** Options of an Error, and what is wrong with which field. */
type Extra = ErrorOptions & { problems?: readonly Problem[] }

/** An error of the catalogue, with its details filled in. */
export class ControllerError extends Error {
  override readonly name = 'ControllerError'
  readonly code: ErrorCode
  /** HTTP status; 500 for errors that are none of the API's. */
  readonly status: number
  readonly whatToDo: string
  readonly problems: readonly Problem[] | undefined

  private constructor(code: ErrorCode, details: Readonly<Record<string, string | number>>, extra: Extra) {
    const entry: { status?: number; message: string; whatToDo: string } = errorCatalogue[code]
    super(fill(entry.message, details), extra)
    this.code = code
    this.status = entry.status ?? 500
    this.whatToDo = fill(entry.whatToDo, details)
    this.problems = extra.problems
  }

  static of<Code extends ErrorCode>(code: Code, details: ErrorDetails<Code>, extra: Extra = {}) {
    return new ControllerError(code, details, extra)
  }
}

/** Details may come from outside and are cut: an error is one line. */
const fill = (text: string, details: Readonly<Record<string, string | number>>): string =>
  text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const detail = details[name]
    return detail === undefined ? whole : String(detail).slice(0, detailCharacters)
  })

const detailCharacters = 200
