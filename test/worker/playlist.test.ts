import { describe, expect, test } from 'vitest'
import {
  avcCodec,
  masterPlaylist,
  measureRates,
  parseMediaPlaylist,
  playlistDurationS,
  playlistProblems,
} from '../../worker/media/playlist.ts'
import { pieceAt } from '../../worker/media/poster.ts'

const text = `#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:6
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-PLAYLIST-TYPE:VOD
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MAP:URI="init_0.mp4"
#EXTINF:6.000000,
segment_00000.m4s
#EXTINF:4.000000,
segment_00001.m4s
#EXTINF:0.021000,
segment_00002.m4s
#EXT-X-ENDLIST
`
const sizes: Record<string, number> = {
  'init_0.mp4': 800,
  'segment_00000.m4s': 600_000,
  'segment_00001.m4s': 500_000,
  'segment_00002.m4s': 9000,
}
const bytesOf = (uri: string) => sizes[uri]

describe('a media playlist', () => {
  test('is read', () => {
    const playlist = parseMediaPlaylist(text)
    expect(playlist).toEqual({
      init: 'init_0.mp4',
      segments: [
        { uri: 'segment_00000.m4s', durationS: 6 },
        { uri: 'segment_00001.m4s', durationS: 4 },
        { uri: 'segment_00002.m4s', durationS: 0.021 },
      ],
      targetS: 6,
      ended: true,
    })
    expect(playlistDurationS(playlist)).toBeCloseTo(10.021)
  })

  test('that is whole has no problems', () => {
    expect(playlistProblems(parseMediaPlaylist(text), bytesOf)).toEqual([])
  })

  test.each<[string, string, (uri: string) => number | undefined, string]>([
    ['without its end', text.replace('#EXT-X-ENDLIST\n', ''), bytesOf, 'has no end'],
    ['that is empty, as on a full disk', '', bytesOf, 'lists no segments'],
    [
      'without initialisation',
      text.replace(/#EXT-X-MAP.*\n/, ''),
      bytesOf,
      'names no initialisation segment',
    ],
    [
      'with an empty segment, as on a full disk',
      text,
      (uri) => (uri === 'segment_00001.m4s' ? 0 : sizes[uri]),
      'lists segment_00001.m4s, which is empty',
    ],
    [
      'with a missing segment',
      text,
      (uri) => (uri === 'segment_00001.m4s' ? undefined : sizes[uri]),
      'lists segment_00001.m4s, which does not exist',
    ],
    [
      'with an empty initialisation',
      text,
      (uri) => (uri === 'init_0.mp4' ? 0 : sizes[uri]),
      'lists init_0.mp4, which is empty',
    ],
  ])('%s is a problem', (_, content, size, problem) => {
    expect(playlistProblems(parseMediaPlaylist(content), size)).toContain(problem)
  })
})

describe('measured rates', () => {
  test('peak is the fastest segment, average is all bytes over all seconds; a tail of 21 ms is no peak', () => {
    expect(measureRates(parseMediaPlaylist(text), bytesOf)).toEqual({
      peakBitsPerSecond: 1_000_000,
      averageBitsPerSecond: Math.ceil((1_109_000 * 8) / 10.021),
    })
  })

  test('a single short segment is measured all the same', () => {
    const short = parseMediaPlaylist(
      '#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:1.0,\na.m4s\n#EXT-X-ENDLIST\n',
    )
    expect(measureRates(short, () => 1000)).toEqual({ peakBitsPerSecond: 8000, averageBitsPerSecond: 8000 })
  })

  test('more segments than a call can have arguments are measured all the same', () => {
    const segments = Array.from({ length: 150_000 }, (_, index) => ({ uri: `${index}.m4s`, durationS: 1 }))
    const long = { ...parseMediaPlaylist(text), segments, targetS: 1 }
    const rates = measureRates(long, (uri) => (uri === '149999.m4s' ? 2000 : 1000))
    expect(rates).toEqual({ peakBitsPerSecond: 16_000, averageBitsPerSecond: 8001 })
  })
})

describe('the master playlist', () => {
  const variant = {
    uri: '720p/index.m3u8',
    width: 1280,
    height: 720,
    frameRate: 30_000 / 1001,
    codecs: 'avc1.64001f',
    peakBitsPerSecond: 2_500_000,
    averageBitsPerSecond: 2_000_000,
  }
  const audio = {
    uri: 'audio/index.m3u8',
    codecs: 'mp4a.40.2',
    channels: 2,
    peakBitsPerSecond: 130_000,
    averageBitsPerSecond: 128_000,
  }

  test('adds the audio to every variant', () => {
    expect(masterPlaylist([variant], audio)).toBe(`#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="audio",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio/index.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=2630000,AVERAGE-BANDWIDTH=2128000,RESOLUTION=1280x720,FRAME-RATE=29.970,CODECS="avc1.64001f,mp4a.40.2",AUDIO="audio"
720p/index.m3u8
`)
  })

  test('says nothing of audio where there is none', () => {
    expect(masterPlaylist([variant], null)).toBe(`#EXTM3U
#EXT-X-VERSION:7
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-STREAM-INF:BANDWIDTH=2500000,AVERAGE-BANDWIDTH=2000000,RESOLUTION=1280x720,FRAME-RATE=29.970,CODECS="avc1.64001f"
720p/index.m3u8
`)
  })

  test('takes the codec from the avcC box', () => {
    const box = Buffer.concat([Buffer.from('....avcC', 'latin1'), Buffer.from([1, 0x64, 0x00, 0x1f, 0xff])])
    expect(avcCodec(box)).toBe('avc1.64001f')
    expect(avcCodec(Buffer.from('nothing here'))).toBeUndefined()
  })
})

describe('the piece that the poster is cut from', () => {
  const segments = [
    { path: 'a', durationS: 6 },
    { path: 'b', durationS: 6 },
  ]
  test.each([
    [0, 'a', 0],
    [5.9, 'a', 5.9],
    [6, 'b', 0],
    [11, 'b', 5],
    [12, 'b', 0],
  ])('at %d s is %s from %d s', (atS, path, offsetS) => {
    const piece = pieceAt(segments, atS)
    expect(piece.path).toBe(path)
    expect(piece.offsetS).toBeCloseTo(offsetS)
  })
})
