import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { access, open, readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { findMediaTools, type MediaTools } from '../../worker/ffmpeg.ts'

/**
 * Small real videos, generated with ffmpeg, and files that only pretend to be videos. Nothing is downloaded.
 * Names say what is special about a clip; all pictures are test patterns, all sounds tones.
 */

const run = promisify(execFile)

/** The ffmpeg that tests use: that of the npm package, so that they say the same on every machine. */
export const npmMediaTools = (scratch: string): Promise<MediaTools> =>
  findMediaTools({ path: '/nonexistent', scratch, signal: new AbortController().signal })

const picture = (size: string, rate: number | string, seconds: number) => [
  ...['-f', 'lavfi', '-i', `testsrc2=size=${size}:rate=${rate}:duration=${seconds}`],
]
const plain = (color: string) => [
  ...['-f', 'lavfi', '-i', `color=c=${color}:size=320x180:rate=25:duration=1`],
]
const tone = (seconds: number) => ['-f', 'lavfi', '-i', `sine=frequency=440:duration=${seconds}`]
/** A picture of one color every two seconds, of colors that are those of the names and marked so. */
const colors = (rate: string, seconds: number, names: readonly string[]) => [
  ...names.flatMap((name) => [
    ...['-f', 'lavfi', '-i', `color=c=${name}:size=320x180:rate=${rate}:duration=${seconds}`],
  ]),
  '-filter_complex',
  `${names.map((_, index) => `[${index}:v]`).join('')}concat=n=${names.length},format=gbrp,${marked('bt709')}`,
]
const marked = (matrix: 'bt709') =>
  `scale=out_color_matrix=${matrix}:out_range=tv,format=yuv420p,setparams=range=tv:color_primaries=${matrix}:color_trc=${matrix}:colorspace=${matrix}`
/** In the light of a television of 1000 nits. */
const highDynamicRange = (transfer: 'smpte2084' | 'arib-std-b67') => [
  '-vf',
  `format=gbrp,zscale=tin=bt709:pin=bt709:min=gbr:rin=pc:t=${transfer}:p=bt2020:m=bt2020nc:r=tv:npl=203,format=yuv420p10le`,
  ...['-c:v', 'libx264', '-preset', 'ultrafast', '-color_range', 'tv'],
  ...['-color_primaries', 'bt2020', '-color_trc', transfer, '-colorspace', 'bt2020nc'],
]
/** White for one frame, and a click of 10 ms, at `atS`. */
const flash = (seconds: number, atS: number) => [
  '-f',
  'lavfi',
  '-i',
  `color=black:size=320x180:rate=25:duration=${seconds},drawbox=c=white:t=fill:enable='between(t,${atS - 0.01},${atS + 0.02})'`,
]
const click = (seconds: number, atS: number) => [
  '-f',
  'lavfi',
  '-i',
  `aevalsrc='if(between(t,${atS},${atS + 0.01}),0.9*sin(2*PI*1000*t),0)':d=${seconds}:s=48000`,
]

const h264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p']
const aac = ['-c:a', 'aac', '-b:a', '64k']

const secondMicrophone = [
  ...[...picture('320x180', 25, 2), ...tone(2), '-map', '0:v', '-map', '1:a', '-map', '1:a'],
  ...[...h264, ...aac, '-filter:a:0', 'aselect=0'],
]

const veryLateSound = [...picture('320x180', 25, 12), '-itsoffset', '10', ...tone(2)]

/** Arguments between the global ones and the output path. */
const recipes = {
  'plain.mp4': [...picture('640x360', 25, 4), ...tone(4), ...h264, ...aac],
  'short.mp4': [...picture('320x180', 25, 2), ...tone(2), ...h264, ...aac],
  'silent.mp4': [...picture('320x180', 30, 2), ...h264],
  'odd.mkv': [...picture('321x241', 25, 2), '-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv444p'],
  'anamorphic.mp4': [...picture('360x288', 25, 2), ...h264, '-vf', 'setsar=64/45'],
  'surround.mp4': [
    ...picture('320x180', 25, 2),
    ...['-f', 'lavfi', '-i', 'sine=frequency=330:duration=2,aformat=channel_layouts=5.1'],
    ...[...h264, ...aac],
  ],
  'varying.mp4': [
    ...picture('320x180', 25, 4),
    ...tone(4),
    // Every frame of the first half, one in five of the second.
    ...['-vf', "select='lt(t,2)+not(mod(n,5))'", '-fps_mode', 'vfr', ...h264, ...aac],
  ],
  'tall.mp4': [...picture('180x320', 25, 2), ...h264],
  'interlaced.mp4': [
    ...picture('360x288', 50, 2),
    ...[
      '-vf',
      'tinterlace=interleave_top,setfield=tff',
      '-flags',
      '+ilme+ildct',
      ...h264,
      '-x264opts',
      'tff=1',
    ],
  ],
  'hdr.mp4': [
    ...picture('320x180', 25, 1),
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p10le'],
    ...['-color_primaries', 'bt2020', '-color_trc', 'smpte2084', '-colorspace', 'bt2020nc'],
  ],
  'hdr-red.mp4': [...plain('red'), ...highDynamicRange('smpte2084')],
  'hlg-red.mp4': [...plain('red'), ...highDynamicRange('arib-std-b67')],
  'colors.mp4': [...colors('25', 2, ['red', 'lime', 'blue', 'yellow', 'cyan', 'magenta']), ...h264],
  'colors-ntsc.mp4': [...colors('30000/1001', 2.002, ['red', 'lime', 'blue']), ...h264],
  'screen.mkv': [...plain('lime'), '-c:v', 'libx264rgb', '-preset', 'ultrafast'],
  'turning.mp4': [
    ...['-f', 'lavfi', '-i', "color=c=0xc04040:size=320x180:rate=5:duration=56,hue=h='6*t'", ...h264],
  ],
  'flash.mkv': [...flash(4, 2), ...click(4, 2), ...h264, '-c:a', 'pcm_s16le'],
  // What the first packet of a sound says is all that these containers know of it.
  'very-late-sound.ts': [...veryLateSound, ...h264, ...aac],
  'very-late-sound.mpg': [...veryLateSound, '-c:v', 'mpeg2video', '-c:a', 'mp2', '-f', 'vob'],
  // The sound begins a second after the pictures; its click is where the flash is.
  'late-sound.mkv': [...[...flash(4, 2), '-itsoffset', '1', ...click(3, 1), ...h264, '-c:a', 'pcm_s16le']],
  'late-picture.mkv': [
    ...[...flash(3, 1), ...click(4, 2), '-filter_complex', '[0:v]setpts=PTS+1/TB[v]'],
    ...['-map', '[v]', '-map', '1:a', ...h264, '-c:a', 'pcm_s16le'],
  ],
  'loud.mp4': [
    ...picture('320x180', 25, 3),
    ...[
      '-f',
      'lavfi',
      '-i',
      "aevalsrc='0.5*sin(2*PI*997*t)|0.5*sin(2*PI*997*t)':d=3:s=48000",
      ...h264,
      ...aac,
    ],
  ],
  'mute.mp4': [
    ...picture('320x180', 25, 2),
    ...['-f', 'lavfi', '-i', 'anullsrc=r=48000:cl=stereo', '-shortest', ...h264, ...aac],
  ],
  'fullrange.avi': [...picture('320x180', 25, 2), '-c:v', 'mjpeg', '-pix_fmt', 'yuvj420p', '-q:v', '5'],
  'stream.ts': [...picture('320x180', 25, 2), ...tone(2), ...h264, ...aac],
  'program.mpg': [...picture('320x180', 25, 2), ...tone(2), '-c:v', 'mpeg2video', '-c:a', 'mp2', '-f', 'vob'],
  'recorded.webm': [
    ...picture('320x180', 25, 2),
    ...tone(2),
    ...['-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8', '-c:a', 'libopus'],
    ...['-live', '1'], // As browsers record: without a duration.
  ],
  'hevc.ts': [
    ...[...picture('320x180', 25, 4), '-c:v', 'libx265', '-preset', 'ultrafast', '-bf', '3'],
    ...['-x265-params', 'log-level=none'],
  ],
  'recorded-longer-sound.webm': [
    ...[...picture('320x180', 25, 2), ...tone(4)],
    ...['-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8', '-c:a', 'libopus', '-live', '1'],
  ],
  'recorded-picture.webm': [...picture('320x180', 25, 0.04), '-c:v', 'libvpx', '-live', '1'],
  // Cut out of a longer recording: the first time stamp is 100 s.
  'offset.mkv': [...picture('320x180', 25, 2), ...tone(2), ...h264, ...aac, '-output_ts_offset', '100'],
  'offset.webm': [
    ...[...picture('320x180', 25, 2), ...tone(2), '-output_ts_offset', '100'],
    ...['-c:v', 'libvpx', '-deadline', 'realtime', '-cpu-used', '8', '-c:a', 'libopus', '-live', '1'],
  ],
  'offset.flv': [
    ...[...picture('320x180', 25, 2), ...tone(2), ...h264, ...aac, '-output_ts_offset', '100'],
    ...['-flvflags', 'no_duration_filesize'],
  ],
  // A sound track that nothing was ever written to.
  'without-microphone.mkv': [...picture('320x180', 25, 2), ...tone(2), ...h264, ...aac, '-af', 'aselect=0'],
  'without-microphone.mov': [
    ...[...picture('320x180', 25, 2), ...tone(2), ...h264, ...aac, '-af', 'aselect=0'],
    ...['-movflags', '+frag_keyframe+empty_moov'],
  ],
  // And one after it that something was written to.
  'second-microphone.mkv': [...secondMicrophone],
  'second-microphone.ts': [...secondMicrophone],
  'second-microphone.mov': [...secondMicrophone, '-movflags', '+frag_keyframe+empty_moov'],
  'two-languages.mov': [
    ...[...picture('320x180', 25, 2), ...tone(2), '-map', '0:v', '-map', '1:a', '-map', '1:a'],
    ...[...h264, ...aac, '-c:a:0', 'pcm_s16le'],
  ],
  'slides.mp4': [...picture('320x180', '1/5', 20), ...tone(20), ...h264, ...aac],
  // Each of 4 s, but the last one of a single frame.
  'slideshow.mp4': [
    ...picture('320x180', 25, 8.04),
    ...['-vf', "select='not(mod(n,100))'", '-fps_mode', 'vfr', ...h264],
  ],
  // The third channel, in the middle, is the only one that is heard.
  'nine-channels.mov': [
    ...picture('320x180', 25, 2),
    ...['-f', 'lavfi', '-i', "aevalsrc='0|0|0.5*sin(2*PI*440*t)|0|0|0|0|0|0':d=2:s=48000"],
    ...[...h264, '-c:a', 'pcm_s16le'],
  ],
  'needle.mp4': [...picture('320x180', 25, 1), ...h264, '-vf', 'setsar=100/1'],
  'hdr-constant.mp4': [
    ...picture('320x180', 25, 1),
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p10le'],
    ...['-color_primaries', 'bt2020', '-color_trc', 'smpte2084', '-colorspace', 'bt2020c'],
  ],
  'hdr-240.mp4': [
    ...picture('320x180', 25, 1),
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p10le'],
    ...['-color_primaries', 'bt2020', '-color_trc', 'smpte2084', '-colorspace', 'smpte240m'],
  ],
  'stream.flv': [...picture('320x180', 25, 2), ...tone(2), ...h264, ...aac],
  'late-video.mkv': [
    ...picture('320x180', 25, 2),
    ...tone(4),
    ...['-filter_complex', '[0:v]setpts=PTS+1/TB[v]', '-map', '[v]', '-map', '1:a', ...h264, ...aac],
  ],
  'sound.m4a': [...tone(2), ...aac],
  'sound-with-cover.m4a': [
    ...['-f', 'lavfi', '-i', 'testsrc2=size=64x64:rate=1:duration=1', ...tone(2)],
    ...[
      '-map',
      '0:v',
      '-map',
      '1:a',
      '-c:v',
      'mjpeg',
      '-frames:v',
      '1',
      ...aac,
      '-disposition:v:0',
      'attached_pic',
    ],
  ],
  'picture.png': ['-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=1:duration=1', '-frames:v', '1'],
  // More pixels, seconds, streams and frames a second than any limit, in a few kilobytes.
  'gigantic.mkv': [
    ...[
      '-f',
      'lavfi',
      '-i',
      'color=c=gray:size=9000x4400:rate=1:duration=1',
      '-c:v',
      'ffv1',
      '-pix_fmt',
      'gray',
    ],
  ],
  'endless.mkv': [...picture('32x18', 1, 2), '-vf', 'setpts=N*90000/TB', '-fps_mode', 'vfr', ...h264],
  'crowded.mkv': [
    ...[...picture('32x18', 25, 1), ...tone(1), '-map', '0:v', ...Array(17).fill(['-map', '1:a']).flat()],
    ...[...h264, '-c:a', 'pcm_u8'],
  ],
  'flickering.mkv': [...picture('32x18', 500, 1), ...h264],
  'moov-last.mp4': [...picture('640x360', 25, 4), ...tone(4), ...h264, ...aac],
  'moov-first.mp4': [...picture('640x360', 25, 4), ...tone(4), ...h264, ...aac, '-movflags', '+faststart'],
} as const satisfies Record<string, readonly string[]>

type RecipeName = keyof typeof recipes
type Maker = {
  remux: (from: RecipeName, inputOptions: string[]) => Promise<void>
  cut: (from: RecipeName, share: number) => Promise<void>
  damage: (from: RecipeName) => Promise<void>
  lose: (from: RecipeName) => Promise<void>
  copy: (from: RecipeName) => Promise<void>
  write: (content: string | Buffer) => Promise<void>
}

/** Files that are made out of another clip or out of nothing. */
const derived = {
  'one-picture.avi': (make: Maker) => make.cut('fullrange.avi', 0.025),
  'headless.mkv': (make: Maker) => make.cut('odd.mkv', 0.03),
  'portrait.mp4': (make: Maker) => make.remux('plain.mp4', ['-display_rotation', '90']),
  'cut-moov-last.mp4': (make: Maker) => make.cut('moov-last.mp4', 0.6),
  'cut-moov-first.mp4': (make: Maker) => make.cut('moov-first.mp4', 0.4),
  'damaged.mp4': (make: Maker) => make.damage('moov-first.mp4'),
  'damaged.avi': (make: Maker) => make.damage('fullrange.avi'),
  'damaged-hevc.ts': (make: Maker) => make.lose('hevc.ts'),
  'picture.mp4': (make: Maker) => make.copy('picture.png'),
  'empty.mp4': (make: Maker) => make.write(''),
  'zeros.mp4': (make: Maker) => make.write(Buffer.alloc(50_000)),
  'random.mp4': (make: Maker) => make.write(randomBytes(50_000)),
  'text.mp4': (make: Maker) => make.write('Dear editor,\nthe video is attached.\n'),
  'ftyp-only.mp4': (make: Maker) =>
    make.write(
      Buffer.concat([Buffer.from('0000001066747970', 'hex'), Buffer.from('isom\0\0\0\0'), randomBytes(9000)]),
    ),
  'playlist.mp4': (make: Maker) => make.write(playlistOf('/etc/hostname')),
  'dash.mp4': (make: Maker) =>
    make.write(
      '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><BaseURL>file:///etc/</BaseURL></MPD>\n',
    ),
  'ffconcat.mp4': (make: Maker) => make.write('ffconcat version 1.0\nfile /etc/hostname\n'),
} as const satisfies Record<string, (make: Maker) => Promise<void>>

export type ClipName = RecipeName | keyof typeof derived

/** Makes clips in one folder, each once. */
export const clipMaker = (folder: string, tools: MediaTools): ((name: ClipName) => Promise<string>) => {
  const made = new Map<ClipName, Promise<string>>()
  const clip = (name: ClipName): Promise<string> => {
    const begun = made.get(name) ?? make(name)
    made.set(name, begun)
    return begun
  }
  const ffmpeg = (args: readonly string[]) =>
    run(tools.ffmpeg.path, ['-y', '-nostdin', '-v', 'error', ...args], { env: tools.env })

  const make = async (name: ClipName): Promise<string> => {
    const path = join(folder, name)
    await (isRecipe(name) ? ffmpeg([...recipes[name], path]) : derived[name](makerOf(path)))
    await access(path)
    return path
  }

  const makerOf = (path: string): Maker => ({
    remux: async (from, inputOptions) => {
      await ffmpeg([...inputOptions, '-i', await clip(from), '-c', 'copy', path])
    },
    cut: async (from, share) => {
      const content = await readFile(await clip(from))
      await writeFile(path, content)
      await truncate(path, Math.floor(content.length * share))
    },
    damage: async (from) => {
      const content = await readFile(await clip(from))
      await writeFile(path, content)
      const file = await open(path, 'r+')
      // In the middle of the coded pictures, away from the index at the beginning.
      for (const share of [0.4, 0.5, 0.6, 0.7])
        await file.write(Buffer.alloc(600, 0xa5), 0, 600, Math.floor(content.length * share))
      await file.close()
    },
    lose: async (from) => {
      const content = await readFile(await clip(from))
      // One packet of MPEG-TS in 60, as a bad reception loses them.
      const packets = Array.from({ length: content.length / 188 }, (_, index) =>
        content.subarray(index * 188, (index + 1) * 188),
      )
      await writeFile(path, Buffer.concat(packets.filter((_, index) => index % 60 !== 59)))
    },
    copy: async (from) => writeFile(path, await readFile(await clip(from))),
    write: async (content) => writeFile(path, content),
  })
  return clip
}

const isRecipe = (name: ClipName): name is RecipeName => Object.hasOwn(recipes, name)

/** A playlist that would read the given address if something opened it. */
export const playlistOf = (address: string): string =>
  `#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n${address}\n#EXT-X-ENDLIST\n`
