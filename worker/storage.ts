import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { addAbortSignal, Readable, Transform } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import {
  DeleteObjectCommand,
  GetObjectCommand,
  type GetObjectCommandInput,
  HeadObjectCommand,
  PutObjectCommand,
  type S3Client,
} from '@aws-sdk/client-s3'
import { Upload } from '@aws-sdk/lib-storage'
import type { FileRole, ManifestFile } from '../schemas/manifest.ts'
import type { Input } from '../schemas/spec.ts'
import { awsErrorOf, isPassing } from './aws.ts'
import { WorkerError } from './errors.ts'
import { type Patience, withPatience } from './patience.ts'

export type StoredObject = { bytes: number; etag: string | undefined }
export type StoredText = { text: string; etag: string }
type Metadata = Readonly<Record<string, string>>
type Range = { start: number; end: number }

export type Storage = {
  /**
   * Streams an object to a file. A cut connection is taken up where it broke off.
   * @param admit sees the size before anything is written; what it throws ends the download
   * @throws WorkerError INPUT_MISSING, INPUT_CHANGED, INPUT_FORBIDDEN, INPUT_ARCHIVED, INPUT_INCOMPLETE, STORAGE_UNAVAILABLE
   */
  download: (input: Input, path: string, options: DownloadOptions) => Promise<StoredObject>
  /** Size and etag of an object. @throws like `download` */
  inspect: (input: Input, signal: AbortSignal) => Promise<StoredObject>
  /**
   * A part of an object, from byte `start` to byte `end` inclusive, as long as it is the object with the etag of the input.
   * @throws like `download`; the stream itself may still break
   */
  openRange: (input: Input, range: Range, signal: AbortSignal) => Promise<Readable>
  /** The same in memory, for a small part of an object. A body that breaks or stands still is asked for anew. @throws like `download` */
  readRange: (input: Input, range: Range, signal: AbortSignal) => Promise<Buffer>
  /** @throws WorkerError OUTPUT_FORBIDDEN, OUTPUT_BUCKET_MISSING, STORAGE_UNAVAILABLE */
  upload: (path: string, key: string, role: FileRole, signal: AbortSignal) => Promise<ManifestFile>
  /** @param metadata what the object says of itself to whoever asks for its head */
  uploadText: (
    text: string,
    key: string,
    signal: AbortSignal,
    metadata?: Readonly<Record<string, string>>,
  ) => Promise<void>
  /**
   * Changes a small output that others may be changing at the same time.
   * @param edit is called again with what another one has written meanwhile; undefined leaves it as it is
   * @returns the content that stands there now
   * @throws WorkerError like `readText` and `upload`
   */
  editText: (key: string, edit: (text: string) => string | undefined, signal: AbortSignal) => Promise<string>
  /** Deletes an output; one that is gone already is no error. @throws WorkerError like `upload` */
  remove: (key: string, signal: AbortSignal) => Promise<void>
  /** A small output, if there is one. @throws WorkerError like `download`, and INPUT_TOO_LARGE */
  readText: (key: string, signal: AbortSignal) => Promise<StoredText | undefined>
  /**
   * Writes a small output over what was read, and over nothing else.
   * @param over its etag; undefined: there was none
   * @returns the etag that it has now; undefined: another one wrote meanwhile, and nothing was written
   * @throws WorkerError like `upload`
   */
  replaceText: (
    text: string,
    key: string,
    over: string | undefined,
    signal: AbortSignal,
  ) => Promise<string | undefined>
}

export type DownloadOptions = {
  signal: AbortSignal
  admit: (bytes: number) => Promise<void>
  onBytes: (share: number) => void
}

export type StorageOptions = {
  client: S3Client
  outputsBucket: string
  patience: Omit<Patience, 'worthwhile' | 'signal'>
}

/** A connection that brings nothing for so long is given up and begun anew. */
const idleMs = 30_000
/** Files up to here go up in one request, from memory. */
const singlePartBytes = 8 * 1024 * 1024

export const openStorage = (options: StorageOptions): Storage => ({
  download: (input, path, how) => download(options, input, path, how),
  inspect: (input, signal) => inspect(options, input, signal),
  openRange: (input, range, signal) => openRange(options, input, range, signal),
  readRange: (input, range, signal) => readRange(options, input, range, signal),
  upload: (path, key, role, signal) => upload(options, path, key, role, signal),
  uploadText: (text, key, signal, metadata) =>
    storing(options, signal, () =>
      put(options, key, Buffer.from(text), contentTypeOf(key), signal, { metadata }).then(() => undefined),
    ),
  editText: (key, edit, signal) => editText(options, key, edit, signal),
  remove: (key, signal) => remove(options, key, signal),
  readText: (key, signal) => readText(options, key, signal),
  replaceText: (text, key, over, signal) => replaceText(options, text, key, over, signal),
})

const download = async (
  options: StorageOptions,
  input: Input,
  path: string,
  { signal, admit, onBytes }: DownloadOptions,
): Promise<StoredObject> => {
  const { bucket, key } = addressOf(input)
  let etag = input.etag
  let total: number | undefined
  let written = 0

  const attempt = async (cameForward: () => void): Promise<StoredObject> => {
    // The connection may have broken after the last byte.
    if (total !== undefined && written === total) return { bytes: total, etag }
    const idle = new AbortController()
    const stopped = AbortSignal.any([signal, idle.signal])
    const answer = await options.client.send(
      new GetObjectCommand({
        Bucket: bucket,
        Key: key,
        ...(etag === undefined ? {} : { IfMatch: quoted(etag) }),
        ...(input.versionId === undefined ? {} : { VersionId: input.versionId }),
        ...(written === 0 ? {} : { Range: `bytes=${written}-` }),
      }),
      { abortSignal: stopped },
    )
    const { ContentLength: length, Body: body } = answer
    if (length === undefined || !(body instanceof Readable)) throw new Error('S3 sent no body')
    if (total === undefined) {
      total = length
      // From now on it must be this very object, even when nobody recorded an etag.
      etag ??= answer.ETag
      await admit(total).catch((error: unknown) => {
        body.destroy()
        throw error
      })
    }
    const whole = total
    const watchdog = setTimeout(() => idle.abort(new Error(`S3 sent nothing for ${idleMs / 1000} s`)), idleMs)
    const counter = new Transform({
      transform: (chunk: Buffer, _encoding, done) => {
        watchdog.refresh()
        cameForward()
        written += chunk.length
        onBytes(whole === 0 ? 1 : written / whole)
        done(null, chunk)
      },
    })
    try {
      const file = createWriteStream(path, written === 0 ? {} : { flags: 'r+', start: written })
      await pipeline(body, counter, file, { signal: stopped })
    } finally {
      clearTimeout(watchdog)
      // What was counted may not have reached the disk; the file itself says where to go on.
      written = await stat(path).then(
        ({ size }) => size,
        () => 0,
      )
    }
    if (written !== whole) throw new WorkerError('INPUT_INCOMPLETE', `${written} of ${whole} bytes arrived`)
    return { bytes: whole, etag }
  }

  try {
    return await withPatience(attempt, { ...options.patience, signal, worthwhile: isWorthAnotherTry })
  } catch (thrown) {
    signal.throwIfAborted()
    throw inputError(thrown)
  }
}

const addressOf = ({ bucket, key }: Input): { bucket: string; key: string } => {
  if (bucket === undefined || key === undefined)
    throw new WorkerError('RECORD_INVALID', 'settings.input must have bucket and key for this kind')
  return { bucket, key }
}

/** The very object that the job was submitted for, in the words of S3. */
const objectOf = (input: Input) => {
  const { bucket, key } = addressOf(input)
  return {
    Bucket: bucket,
    Key: key,
    ...(input.etag === undefined ? {} : { IfMatch: quoted(input.etag) }),
    ...(input.versionId === undefined ? {} : { VersionId: input.versionId }),
  }
}

const reading = async <T>(
  { patience }: StorageOptions,
  signal: AbortSignal,
  attempt: () => Promise<T>,
): Promise<T> => {
  try {
    return await withPatience(attempt, { ...patience, signal, worthwhile: isWorthAnotherTry })
  } catch (thrown) {
    signal.throwIfAborted()
    throw inputError(thrown)
  }
}

const inspect = (options: StorageOptions, input: Input, signal: AbortSignal): Promise<StoredObject> =>
  reading(options, signal, async () => {
    const { ContentLength: bytes, ETag: etag } = await options.client.send(
      new HeadObjectCommand(objectOf(input)),
      { abortSignal: signal },
    )
    if (bytes === undefined) throw new Error('S3 told no size')
    return { bytes, etag: input.etag ?? etag }
  })

const openRange = (
  options: StorageOptions,
  input: Input,
  { start, end }: Range,
  signal: AbortSignal,
): Promise<Readable> =>
  reading(options, signal, async () => {
    const { Body: body } = await options.client.send(
      new GetObjectCommand({ ...objectOf(input), Range: `bytes=${start}-${end}` }),
      { abortSignal: signal },
    )
    if (!(body instanceof Readable)) throw new Error('S3 sent no body')
    return body
  })

const readRange = (
  options: StorageOptions,
  input: Input,
  { start, end }: Range,
  signal: AbortSignal,
): Promise<Buffer> =>
  reading(options, signal, async () => {
    const wanted = { ...objectOf(input), Range: `bytes=${start}-${end}` }
    return (await readWhole(options, wanted, signal)).content
  })

/** Bytes that are held in memory whole; the manifest of a day in segments of two seconds is a tenth of this. */
const wholeBytes = 100 * 1024 * 1024
/** That they take so long means that their connection stands still, although it is not broken. */
const wholeMs = 60_000

/** One attempt at a small object, or at a part of one. @throws WorkerError INPUT_TOO_LARGE */
const readWhole = async (
  { client }: StorageOptions,
  wanted: GetObjectCommandInput,
  signal: AbortSignal,
): Promise<{ content: Buffer; etag: string | undefined; metadata: Metadata }> => {
  const stopped = AbortSignal.any([signal, AbortSignal.timeout(wholeMs)])
  const {
    Body: body,
    ETag: etag,
    ContentLength: bytes = 0,
    Metadata: metadata = {},
  } = await client.send(new GetObjectCommand(wanted), { abortSignal: stopped })
  if (!(body instanceof Readable)) throw new Error('S3 sent no body')
  if (bytes > wholeBytes) {
    body.destroy()
    throw new WorkerError(
      'INPUT_TOO_LARGE',
      `${wanted.Key} has ${bytes} bytes, at most ${wholeBytes} are read`,
    )
  }
  return { content: await buffer(addAbortSignal(stopped, body)), etag, metadata }
}

/** How often another one may come first. */
const editTries = 10

const editText = async (
  options: StorageOptions,
  key: string,
  edit: (text: string) => string | undefined,
  signal: AbortSignal,
): Promise<string> => {
  for (let tries = 0; ; tries += 1) {
    const { text, etag, metadata } = await readStored(options, key, signal)
    const edited = edit(text)
    if (edited === undefined || edited === text) return text
    try {
      await storing(options, signal, () =>
        // A manifest says its kind there, and says it still when it is changed.
        put(options, key, Buffer.from(edited), contentTypeOf(key), signal, { etag, metadata }),
      )
      return edited
    } catch (thrown) {
      if (!isOvertaken(thrown) || tries + 1 >= editTries) throw thrown
    }
  }
}

const remove = (options: StorageOptions, key: string, signal: AbortSignal): Promise<void> =>
  storing(options, signal, async () => {
    await options.client.send(new DeleteObjectCommand({ Bucket: options.outputsBucket, Key: key }), {
      abortSignal: signal,
    })
  })

const readText = async (
  options: StorageOptions,
  key: string,
  signal: AbortSignal,
): Promise<StoredText | undefined> => {
  try {
    const { text, etag } = await readStored(options, key, signal)
    return { text, etag }
  } catch (thrown) {
    if (thrown instanceof WorkerError && thrown.code === 'INPUT_MISSING') return undefined
    throw thrown
  }
}

const readStored = (
  options: StorageOptions,
  key: string,
  signal: AbortSignal,
): Promise<StoredText & { metadata: Metadata }> =>
  reading(options, signal, async () => {
    const wanted = { Bucket: options.outputsBucket, Key: key }
    const { content, etag, metadata } = await readWhole(options, wanted, signal)
    if (etag === undefined) throw new Error('S3 told no etag')
    return { text: content.toString('utf8'), etag, metadata }
  })

const replaceText = async (
  options: StorageOptions,
  text: string,
  key: string,
  over: string | undefined,
  signal: AbortSignal,
): Promise<string | undefined> => {
  try {
    const { ETag: etag } = await storing(options, signal, () =>
      options.client.send(
        new PutObjectCommand({
          Bucket: options.outputsBucket,
          Key: key,
          Body: text,
          ContentType: contentTypeOf(key),
          ...(over === undefined ? { IfNoneMatch: '*' } : { IfMatch: over }),
        }),
        { abortSignal: signal },
      ),
    )
    if (etag === undefined) throw new WorkerError('INTERNAL_ERROR', 'S3 told no etag')
    return etag
  } catch (thrown) {
    if (isOvertaken(thrown)) return undefined
    throw thrown
  }
}

/** 412: it is another one by now. 409: two were written at the same moment (S3 API reference, conditional writes). */
const isOvertaken = (thrown: unknown): boolean =>
  [409, 412].includes(awsErrorOf(thrown instanceof WorkerError ? thrown.cause : thrown).status ?? 0)

/** Recorded etags come with quotes (HeadObject) and without (events). */
const quoted = (etag: string): string => `"${etag.replaceAll('"', '')}"`

const isWorthAnotherTry = (error: unknown): boolean =>
  error instanceof WorkerError ? error.code === 'INPUT_INCOMPLETE' : isPassing(error) && !isDiskFull(error)

const isDiskFull = (error: unknown): boolean => awsErrorOf(error).message.includes('ENOSPC')

const inputError = (thrown: unknown): WorkerError => {
  if (thrown instanceof WorkerError) return thrown
  const { name, message, status } = awsErrorOf(thrown)
  if (name === 'InvalidObjectState') return new WorkerError('INPUT_ARCHIVED', undefined, thrown)
  if (isDiskFull(thrown)) return new WorkerError('DISK_FULL', undefined, thrown)
  if (isPassing(thrown)) return new WorkerError('STORAGE_UNAVAILABLE', message, thrown)
  if (status === 412) return new WorkerError('INPUT_CHANGED', undefined, thrown)
  if (status === 404) return new WorkerError('INPUT_MISSING', undefined, thrown)
  if (status === 403) return new WorkerError('INPUT_FORBIDDEN', undefined, thrown)
  return new WorkerError('INTERNAL_ERROR', `${name}: ${message}`, thrown)
}

const upload = async (
  options: StorageOptions,
  path: string,
  key: string,
  role: FileRole,
  signal: AbortSignal,
): Promise<ManifestFile> => {
  const { size: bytes } = await stat(path)
  if (bytes === 0) throw new WorkerError('OUTPUT_INVALID', `${key} is empty`)
  const contentType = contentTypeOf(key)
  const sha256 = await storing(options, signal, async () => {
    if (bytes > singlePartBytes) return putLarge(options, key, path, contentType, signal)
    return put(options, key, await readFile(path), contentType, signal)
  })
  return { key, bytes, sha256, contentType, role }
}

const put = async (
  { client, outputsBucket }: StorageOptions,
  key: string,
  content: Buffer,
  contentType: string,
  signal: AbortSignal,
  { etag, metadata }: { etag?: string | undefined; metadata?: Metadata | undefined } = {},
): Promise<string> => {
  await client.send(
    new PutObjectCommand({
      Bucket: outputsBucket,
      Key: key,
      Body: content,
      ContentType: contentType,
      ...(etag === undefined ? {} : { IfMatch: etag }),
      ...(metadata === undefined ? {} : { Metadata: metadata }),
    }),
    { abortSignal: signal },
  )
  return createHash('sha256').update(content).digest('hex')
}

const putLarge = async (
  { client, outputsBucket }: StorageOptions,
  key: string,
  path: string,
  contentType: string,
  signal: AbortSignal,
): Promise<string> => {
  const hash = createHash('sha256')
  const hashed = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      hash.update(chunk)
      done(null, chunk)
    },
  })
  const sending = new Upload({
    client,
    params: { Bucket: outputsBucket, Key: key, Body: hashed, ContentType: contentType },
    partSize: singlePartBytes,
    queueSize: 2,
  })
  const abort = () => void sending.abort()
  signal.addEventListener('abort', abort, { once: true })
  try {
    await Promise.all([pipeline(createReadStream(path), hashed, { signal }), sending.done()])
    return hash.digest('hex')
  } finally {
    signal.removeEventListener('abort', abort)
    hashed.destroy() // After a failed request nobody reads it any more, and its file would stay open.
  }
}

const storing = async <T>(
  { patience }: StorageOptions,
  signal: AbortSignal,
  attempt: () => Promise<T>,
): Promise<T> => {
  try {
    return await withPatience(attempt, { ...patience, signal, worthwhile: isPassing })
  } catch (thrown) {
    signal.throwIfAborted()
    throw outputError(thrown)
  }
}

const outputError = (thrown: unknown): WorkerError => {
  if (thrown instanceof WorkerError) return thrown
  const { name, message, status } = awsErrorOf(thrown)
  if (isPassing(thrown)) return new WorkerError('STORAGE_UNAVAILABLE', message, thrown)
  if (name === 'NoSuchBucket') return new WorkerError('OUTPUT_BUCKET_MISSING', undefined, thrown)
  if (status === 403) return new WorkerError('OUTPUT_FORBIDDEN', undefined, thrown)
  return new WorkerError('INTERNAL_ERROR', `${name}: ${message}`, thrown)
}

const contentTypes: Record<string, string> = {
  '.m3u8': 'application/vnd.apple.mpegurl',
  '.m4s': 'video/iso.segment',
  '.ts': 'video/mp2t',
  '.mp4': 'video/mp4',
  '.jpg': 'image/jpeg',
  '.json': 'application/json',
  '.srt': 'application/x-subrip',
  '.vtt': 'text/vtt; charset=utf-8',
  '.md': 'text/markdown; charset=utf-8',
  '.flac': 'audio/flac',
  '.m4a': 'audio/mp4',
  '.mp3': 'audio/mpeg',
  '.ogg': 'audio/ogg',
  '.opus': 'audio/ogg',
  '.wav': 'audio/wav',
  '.png': 'image/png',
  '.torrent': 'application/x-bittorrent',
  '.txt': 'text/plain; charset=utf-8',
}

const contentTypeOf = (key: string): string =>
  contentTypes[/\.[^./]*$/.exec(key)?.[0] ?? ''] ?? 'application/octet-stream'
