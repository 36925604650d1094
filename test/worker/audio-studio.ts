import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { audioMetadataSchema } from '../../schemas/audio-metadata.ts'
import { audio } from '../../worker/kinds/audio.ts'
import { npmMediaTools } from '../support/clips.ts'
import { type HandleOptions, openHandling } from './handling.ts'
import { testedMediaTools } from './media.ts'

const run = promisify(execFile)

const source = (graph: string) => ['-f', 'lavfi', '-i', graph]
const tone = (seconds: number, more = '') => source(`sine=frequency=440:duration=${seconds}${more}`)
const wav = ['-c:a', 'pcm_s16le', '-f', 'wav']
const picture = [
  ...source('testsrc2=size=160x90:rate=10:duration=4'),
  ...['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p'],
]
const pictureAndTwo = [...tone(4), ...picture, '-map', '1:v', '-map', '0:a', '-map', '0:a']
/** A track that a recorder has made for a microphone that was not there, and one with sound. */
const secondMicrophone = [...pictureAndTwo, '-c:a', 'aac', '-filter:a:0', 'aselect=0']
const lateSound = ['-itsoffset', '1.5', ...tone(2), ...picture]
const veryLateSound = [
  ...['-itsoffset', '10', ...tone(2), ...source('color=size=160x90:rate=25:duration=12')],
  ...['-preset', 'ultrafast', '-pix_fmt', 'yuv420p'],
]
/** A second of silence, 1.5 s of sound, 1.2 s of silence, 0.3 s of sound, 2 s of silence. */
const talk =
  "aevalsrc='(between(t,1,2.5)+between(t,3.7,4))*0.3*sin(2764*t)|(between(t,1,2.5)+between(t,3.7,4))*0.3*sin(2764*t)':d=6:s=48000"
/** As if somebody spoke now softly, now loudly, and knocked on the table. */
const speech =
  "aevalsrc='(0.04+0.1*abs(sin(t/3)))*random(0)*(1+2*lt(mod(t,2),0.02))':d=20:s=44100,highpass=200,lowpass=3000,volume=3"

/** What is uploaded, by what ffmpeg has to be told. */
const recipes = {
  tone: [...tone(4), ...wav],
  stereo: [...source("aevalsrc='0.3*sin(2764*t)|0.1*sin(5528*t)':d=4:s=44100"), ...wav],
  talk: [...source(talk), ...wav],
  speech: [...source(speech), ...wav],
  silence: [...source('anullsrc=r=44100:cl=stereo:d=4'), ...wav],
  /** Of a second: nothing has a loudness range there. */
  brief: [...source(`aevalsrc='0.1*sin(2764*t)':d=1:s=44100`), ...wav],
  /** So sparse that its peaks cannot be made louder, and hardly anything else is there. */
  knocks: [...source("aevalsrc='0.01*random(0)*(1+90*lt(mod(t,2),0.02))':d=10:s=44100,lowpass=3000"), ...wav],
  /** 2200 times 80 ms of sound and 120 ms of none. */
  stutter: [...source("aevalsrc='0.3*lt(mod(t,0.2),0.08)*sin(2764*t)':d=440:s=8000"), ...wav],
  'sixteen channels': [
    ...tone(
      1,
      ',aformat=channel_layouts=mono,pan=hexadecagonal|' +
        Array.from({ length: 16 }, (_, index) => `c${index}=c0`).join('|'),
    ),
    ...wav,
  ],
  /** A steady tone, for which the filter that measures makes up a range. */
  'three seconds': [...tone(3.3), ...wav],
  short: [...tone(0.1), ...wav],
  'short and loud': [...source("aevalsrc='0.9*sin(2764*t)':d=0.3:s=44100"), ...wav],
  'one sample': [...tone(1), '-af', 'atrim=end_sample=1', ...wav],
  click: [...source("aevalsrc='0.5*gte(t,1)*lt(t,1.0005)':d=4:s=44100"), ...wav],
  /** What one channel adds the other takes away. */
  'opposite channels': [...source("aevalsrc='0.5*sin(2764*t)|-0.5*sin(2764*t)':d=4:s=44100"), ...wav],
  rf64: [...tone(4), '-c:a', 'pcm_s16le', '-rf64', 'always', '-f', 'wav'],
  '8 kHz': [...tone(4, ':sample_rate=8000'), ...wav],
  '96 kHz': [...tone(4, ':sample_rate=96000'), '-c:a', 'pcm_s24le', '-f', 'wav'],
  '44056 Hz': [...tone(4, ':sample_rate=44056'), ...wav],
  surround: [
    ...source(`aevalsrc=${Array.from({ length: 6 }, () => '0.9*sin(2764*t)').join('|')}:d=4:c=5.1`),
    ...['-c:a', 'aac', '-b:a', '384k', '-f', 'mp4'],
  ],
  video: [...tone(4), ...picture, '-c:a', 'aac', '-f', 'mp4'],
  'late sound': [...lateSound, '-c:a', 'aac', '-f', 'matroska'],
  'late sound of MPEG-TS': [...lateSound, '-c:a', 'aac', '-f', 'mpegts'],
  'late sound of MPEG-PS': [...lateSound, '-c:v', 'mpeg2video', '-r', '25', '-c:a', 'mp2', '-f', 'vob'],
  'late sound of Ogg': [...lateSound, '-c:v', 'libtheora', '-c:a', 'libvorbis', '-f', 'ogg'],
  'sound after 10 s of MPEG-TS': [...veryLateSound, '-c:v', 'libx264', '-c:a', 'aac', '-f', 'mpegts'],
  'sound after 10 s of MPEG-PS': [...veryLateSound, '-c:v', 'mpeg2video', '-c:a', 'mp2', '-f', 'vob'],
  'second microphone': [
    ...[...secondMicrophone, '-metadata:s:a:0', 'artist=Nobody', '-metadata:s:a:1', 'artist=Somebody'],
    ...['-f', 'matroska'],
  ],
  'second microphone of MPEG-TS': [...secondMicrophone, '-f', 'mpegts'],
  'second microphone without pictures': [
    ...[...tone(4), '-map', '0:a', '-map', '0:a', '-c:a', 'aac', '-filter:a:0', 'aselect=0'],
    ...['-metadata:s:a:0', 'artist=Nobody', '-metadata:s:a:1', 'artist=Somebody', '-f', 'matroska'],
  ],
  'two languages': [...pictureAndTwo, '-c:a:0', 'pcm_s16le', '-c:a:1', 'aac', '-f', 'mov'],
  'sound with a hole': [
    ...tone(4),
    ...['-af', "aselect='not(between(t,1,2.5))'", '-c:a', 'libmp3lame', '-f', 'matroska'],
  ],
  'only pictures': [...picture, '-f', 'mp4'],
  'with a cover': [
    ...[...source('testsrc2=size=64x64:rate=1/4:duration=4'), ...tone(4), '-map', '0:v', '-map', '1:a'],
    ...['-c:v', 'mjpeg', '-frames:v', '1', '-c:a', 'aac', '-disposition:v:0', 'attached_pic'],
    ...['-metadata', 'title=A = B; "C"\\', '-metadata', 'artist=Ünï', '-metadata', 'location=+52.52+013.40/'],
    ...['-metadata', 'comment=secret', '-f', 'mp4'],
  ],
  'two tracks': [
    ...tone(4),
    ...tone(4, ':beep_factor=4'),
    '-map',
    '0',
    '-map',
    '1',
    '-c:a',
    'aac',
    '-f',
    'mp4',
  ],
  mp3: [...tone(4), '-c:a', 'libmp3lame', '-b:a', '128k', '-f', 'mp3'],
  'bare mp3': [...tone(4), '-c:a', 'libmp3lame', '-b:a', '128k', '-id3v2_version', '0', '-f', 'mp3'],
  'mp3 of few bits': [...tone(8), '-c:a', 'libmp3lame', '-b:a', '64k', '-f', 'mp3'],
  'mp3 that does not say how long it is': [
    // Loud noise after silence: the first frames need few bits, all others many.
    ...source("aevalsrc='gte(t,1)*random(0)':d=8:s=44100"),
    ...['-c:a', 'libmp3lame', '-q:a', '0', '-write_xing', '0', '-id3v2_version', '0', '-f', 'mp3'],
  ],
  'bare aac': [...source("aevalsrc='gte(t,1)*random(0)':d=8:s=44100"), '-c:a', 'aac', '-f', 'adts'],
  m4a: [...tone(4), '-c:a', 'aac', '-movflags', '+faststart', '-f', 'ipod'],
  flac: [...tone(4), '-c:a', 'flac', '-f', 'flac'],
  ogg: [...tone(4), '-c:a', 'libopus', '-metadata', 'title=Ogg', '-f', 'ogg'],
  /** Each such file has a number of its own, by which one that follows another is told from it. */
  'longer ogg': [...tone(8), '-c:a', 'libopus', '-f', 'ogg'],
  webm: [...tone(4), '-c:a', 'libopus', '-live', '1', '-f', 'webm'],
} as const satisfies Record<string, readonly string[]>
export type Recipe = keyof typeof recipes

/** Jobs of kind audio with real storage and real media, and what a listener finds in their outputs. `close` at the end. */
export const openAudioStudio = async () => {
  const folder = mkdtempSync(join(tmpdir(), 'audio-'))
  const tools = await testedMediaTools(folder)
  /** What makes inputs and looks at outputs: the same in every run. */
  const npm = await npmMediaTools(folder)
  const handling = await openHandling()
  const made = new Map<Recipe, Promise<Buffer>>()
  const make = async (recipe: Recipe): Promise<Buffer> => {
    const path = join(folder, `made ${recipe}`)
    await run(npm.ffmpeg.path, ['-y', '-nostdin', '-v', 'error', ...recipes[recipe], path], { env: npm.env })
    return readFile(path)
  }
  const content = (recipe: Recipe): Promise<Buffer> => {
    const begun = made.get(recipe) ?? make(recipe)
    made.set(recipe, begun)
    return begun
  }
  const bytesOf = async ({ output }: { output: string }, name: string): Promise<Buffer> =>
    (await handling.workshop.output(`${output}${name}`)).content
  const convert = async (key: string, from: Recipe | Buffer, options: HandleOptions = {}) => {
    const uploaded = typeof from === 'string' ? await content(from) : from
    const input = await handling.workshop.upload(key, uploaded)
    const done = await handling.handle(audio, { input, tools, ...options })
    const names = done.files.map((file) => file.key.slice(done.output.length))
    const metadata = audioMetadataSchema.parse(JSON.parse((await bytesOf(done, 'metadata.json')).toString()))
    return { ...done, names, metadata }
  }
  const local = async (job: { output: string }, name: string): Promise<string> => {
    const path = join(folder, `local-${name.replaceAll('/', '_')}`)
    await writeFile(path, await bytesOf(job, name))
    return path
  }
  return {
    folder,
    handling,
    tools,
    npm,
    content,
    convert,
    bytesOf,
    local,
    /** Samples of an output, as a player hears them: one channel, 48 kHz. */
    samplesOf: async (job: { output: string }, name: string): Promise<Int16Array> => {
      const { stdout } = await run(
        npm.ffmpeg.path,
        [
          ...['-nostdin', '-v', 'error', '-i', await local(job, name)],
          ...['-ac', '1', '-ar', '48000', '-f', 's16le', '-'],
        ],
        { env: npm.env, encoding: 'buffer', maxBuffer: 64 * 1024 ** 2 },
      )
      return new Int16Array(new Uint8Array(stdout).buffer, 0, Math.floor(stdout.length / 2))
    },
    /** What another program than the worker measures: an ffmpeg of its own, by another filter. */
    loudnessOf: async (job: { output: string }, name: string) => {
      const { stderr } = await run(
        npm.ffmpeg.path,
        [
          ...['-nostdin', '-i', await local(job, name), '-map', '0:a'],
          ...['-af', 'loudnorm=print_format=json', '-f', 'null', '-'],
        ],
        { env: npm.env },
      )
      const said = JSON.parse(stderr.slice(stderr.lastIndexOf('{'), stderr.lastIndexOf('}') + 1))
      return { integrated: Number(said.input_i), peak: Number(said.input_tp) }
    },
    /** Everything that ffprobe says. */
    look: async (job: { output: string }, name: string): Promise<string> => {
      const show = ['-show_format', '-show_streams', '-show_chapters', '-of', 'json']
      const { stdout } = await run(npm.ffprobe.path, ['-v', 'error', ...show, await local(job, name)], {
        env: npm.env,
      })
      return stdout
    },
    close: async () => {
      await handling.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export const rms = (samples: Int16Array, fromS: number, toS: number): number => {
  const part = samples.subarray(Math.round(fromS * 48_000), Math.round(toS * 48_000))
  return Math.sqrt(part.reduce((sum, sample) => sum + sample * sample, 0) / Math.max(1, part.length))
}
export const secondsOf = (samples: Int16Array): number => samples.length / 48_000

/** Of a job that makes no files but those that a test asks for. */
export const quiet = { formats: [], waveform: false }
