import { exitCodes } from '../schemas/exit-codes.ts'

/**
 * Everything that can end a task, in one place: the exit code says what the controller does about it, the sentence says it
 * to people. A detail follows the sentence where there is one.
 */
export const errorCatalogue = {
  ENVIRONMENT_INVALID: entry(exitCodes.badConfiguration, 'The environment of the task is not complete'),
  RECORD_INVALID: entry(exitCodes.badConfiguration, 'The job record cannot be worked with'),
  KIND_UNKNOWN: entry(exitCodes.badConfiguration, 'This worker does not know the kind of the job'),
  TABLE_MISSING: entry(exitCodes.badConfiguration, 'The jobs table does not exist'),
  TABLE_FORBIDDEN: entry(
    exitCodes.notAllowed,
    'The task role may not update the jobs table; it needs dynamodb:UpdateItem',
  ),
  TABLE_UNAVAILABLE: entry(exitCodes.serviceUnavailable, 'The jobs table did not answer for too long'),
  METADATA_UNAVAILABLE: entry(exitCodes.serviceUnavailable, 'ECS did not tell the task its own ARN'),
  FENCED_OUT: entry(exitCodes.fencedOut, 'Another task works for this job now; this one has stopped'),
  INTERRUPTED: entry(exitCodes.interrupted, 'The task was told to stop before its work was done'),
  INTERNAL_ERROR: entry(exitCodes.internalError, 'A fault of the worker'),

  STORAGE_UNAVAILABLE: entry(exitCodes.serviceUnavailable, 'S3 did not answer for too long'),
  OUTPUT_FORBIDDEN: entry(
    exitCodes.notAllowed,
    'The task role may not write the output; it needs s3:PutObject',
  ),
  OUTPUT_BUCKET_MISSING: entry(exitCodes.badConfiguration, 'The outputs bucket does not exist'),
  INPUT_FORBIDDEN: entry(exitCodes.notAllowed, 'The task role may not read the input; it needs s3:GetObject'),
  INPUT_MISSING: entry(exitCodes.inputMissing, 'The input does not exist any more'),
  INPUT_ARCHIVED: entry(exitCodes.inputMissing, 'The input is in an archive storage class; restore it first'),
  INPUT_CHANGED: entry(exitCodes.inputMissing, 'The input was replaced after the job was submitted'),
  INPUT_INCOMPLETE: entry(exitCodes.temporary, 'The input could not be downloaded whole'),
  INPUT_EMPTY: entry(exitCodes.badInput, 'The input is an empty file'),
  INPUT_UNREADABLE: entry(exitCodes.badInput, 'The input is not a video or sound that can be read'),
  INPUT_FORMAT_REFUSED: entry(exitCodes.badInput, 'The input is of a kind that is not accepted'),
  INPUT_TOO_LARGE: entry(exitCodes.badInput, 'The input is beyond a limit'),
  INPUT_TRUNCATED: entry(
    exitCodes.badInput,
    'The input ends before it should; the upload was probably cut off',
  ),
  INPUT_CORRUPT: entry(exitCodes.badInput, 'The input is damaged'),
  NO_VIDEO_STREAM: entry(exitCodes.badInput, 'The input has no video'),
  NO_AUDIO_STREAM: entry(exitCodes.badInput, 'The input has no audio'),
  AUDIO_TOO_SHORT: entry(exitCodes.badInput, 'The audio is too short to be transcribed'),
  TRANSCRIPT_INVALID: entry(exitCodes.badInput, 'The transcript cannot be read'),
  SCENES_INVALID: entry(exitCodes.badInput, 'The list of scenes cannot be read'),
  PLAYLIST_INVALID: entry(exitCodes.badInput, 'The HLS output that subtitles are for cannot be read'),
  PIECES_INVALID: entry(exitCodes.temporary, 'The shards of a long video do not fit together'),

  URL_REFUSED: entry(exitCodes.notAllowed, 'The address is not one that tasks may reach'),
  SOURCE_UNREACHABLE: entry(exitCodes.serviceUnavailable, 'The source cannot be reached'),
  SOURCE_MISSING: entry(exitCodes.inputMissing, 'The source says that there is nothing'),
  SOURCE_FORBIDDEN: entry(exitCodes.notAllowed, 'The source does not let us in'),
  SOURCE_UNSUPPORTED: entry(exitCodes.badInput, 'The source is nothing that can be recorded'),
  SOURCE_STALLED: entry(exitCodes.temporary, 'The source is there, but brings nothing any more'),
  SOURCE_LOST: entry(exitCodes.temporary, 'The source went away and did not come back'),

  MODEL_UNAVAILABLE: entry(exitCodes.temporary, 'The model did not answer for too long'),
  MODEL_FORBIDDEN: entry(
    exitCodes.notAllowed,
    'The task role may not ask the model; it needs bedrock:InvokeModel (BEDROCK_MODEL_ARNS), and the account access to the model',
  ),
  MODEL_INVALID: entry(exitCodes.badConfiguration, 'The model cannot be asked'),
  MODEL_REFUSED: entry(
    exitCodes.badInput,
    'The model, or a guard of it, does not write about this recording',
  ),
  MODEL_ANSWER_INVALID: entry(exitCodes.temporary, 'The model gave an answer that is no summary'),

  TORRENT_INVALID: entry(exitCodes.badInput, 'The input is not a torrent that can be seeded'),
  TORRENT_DATA_MISMATCH: entry(exitCodes.badInput, 'The data is not what the torrent was made of'),
  TORRENT_CLIENT_MISSING: entry(exitCodes.badConfiguration, 'There is no transmission-daemon'),
  TORRENT_CLIENT_FAILED: entry(exitCodes.temporary, 'transmission-daemon failed'),

  FFMPEG_MISSING: entry(exitCodes.badConfiguration, 'No usable ffmpeg was found'),
  FFMPEG_TOO_OLD: entry(exitCodes.badConfiguration, 'The ffmpeg that was found is too old'),
  FFMPEG_INCOMPLETE: entry(
    exitCodes.badConfiguration,
    'The ffmpeg that was found lacks parts that are needed',
  ),
  FFMPEG_FAILED: entry(exitCodes.internalError, 'ffmpeg failed for no reason that is known here'),
  OUTPUT_INVALID: entry(exitCodes.internalError, 'What ffmpeg wrote is not what was asked for'),
  CPU_LIMIT: entry(exitCodes.badInput, 'The input takes more processor time than is allowed'),
  STALLED: entry(exitCodes.temporary, 'ffmpeg made no progress for too long and was stopped'),
  DISK_FULL: entry(exitCodes.temporary, 'The disk of the task is too small'),
  OUT_OF_MEMORY: entry(exitCodes.outOfMemory, 'ffmpeg was killed, most likely because memory ran out'),
} as const

function entry<Code extends number>(exitCode: Code, sentence: string): { exitCode: Code; sentence: string } {
  return { exitCode, sentence }
}

export type ErrorCode = keyof typeof errorCatalogue

/** A failure from the catalogue: it knows its exit code, and its message is fit for people. */
export class WorkerError extends Error {
  override readonly name = 'WorkerError'
  readonly code: ErrorCode
  readonly exitCode: number

  constructor(code: ErrorCode, detail?: string, cause?: unknown) {
    const { sentence } = errorCatalogue[code]
    super(detail === undefined ? `${sentence}.` : `${sentence}: ${detail}.`, { cause })
    this.code = code
    this.exitCode = errorCatalogue[code].exitCode
  }
}

/** Whatever was thrown, as something from the catalogue: what nobody foresaw is a fault of ours. */
export const asWorkerError = (thrown: unknown): WorkerError =>
  thrown instanceof WorkerError
    ? thrown
    : new WorkerError('INTERNAL_ERROR', thrown instanceof Error ? thrown.message : String(thrown), thrown)
