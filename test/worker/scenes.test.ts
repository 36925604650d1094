import { describe, expect, test } from 'vitest'
import { inputGuard } from '../../worker/media/limits.ts'
import {
  type Change,
  changeReader,
  pictureFor,
  pictureIntervalS,
  sceneArguments,
  scenesOf,
} from '../../worker/media/scenes.ts'
import { cpuMs } from '../support/cpu-time.ts'

const options = { durationS: 100, threshold: 10, shortestS: 2, maxScenes: 500 }
const startsOf = (changes: readonly Change[], more: Partial<typeof options> = {}) =>
  scenesOf(changes, { ...options, ...more }).map(({ startS }) => startS)
const at = (atS: number, score = 30): Change => ({ atS, score })

describe('scenes', () => {
  test('follow each other from the beginning to the end', () => {
    expect(scenesOf([at(40, 31.26), at(10)], options)).toEqual([
      { startS: 0, endS: 10, score: null },
      { startS: 10, endS: 40, score: 30 },
      { startS: 40, endS: 100, score: 31.3 },
    ])
  })

  test.each<[string, Change[], Partial<typeof options>, number[]]>([
    ['no change: one scene', [], {}, [0]],
    ['a change as strong as the threshold counts', [at(10, 10)], {}, [0, 10]],
    ['a weaker one does not', [at(10, 9.99)], {}, [0]],
    ['of two that are too close, the stronger', [at(10, 20), at(11, 40)], {}, [0, 11]],
    ['of two that are just far enough apart, both', [at(10, 20), at(12, 40)], {}, [0, 10, 12]],
    ['too close to the beginning or the end', [at(1.9), at(98.1)], {}, [0]],
    ['at most so many: the strongest', [at(10, 20), at(20, 40), at(30, 30)], { maxScenes: 3 }, [0, 20, 30]],
    ['one at most: no change counts', [at(10)], { maxScenes: 1 }, [0]],
  ])('%s', (_, changes, more, starts) => {
    expect(startsOf(changes, more)).toEqual(starts)
  })

  test('a video that flickers for hours is cut quickly, and no scene is too short', () => {
    const changes = Array.from({ length: 100_000 }, (_, index) =>
      at(index / 10, 10 + ((index * 7919) % 1000) / 20),
    )
    const startMs = cpuMs()
    const starts = startsOf(changes, { durationS: 10_000 })
    expect(cpuMs() - startMs).toBeLessThan(5000)
    expect(starts).toHaveLength(500)
    expect(
      Math.min(...starts.slice(1).map((startS, index) => startS - (starts[index] ?? 0))),
    ).toBeGreaterThanOrEqual(2)
  })
})

describe('what ffmpeg prints', () => {
  const read = (text: string): Change[] => {
    const changes: Change[] = []
    const line = changeReader((change) => changes.push(change))
    for (const each of text.split('\n')) line(each)
    return changes
  }

  test('a time and a score, between lines of progress', () => {
    expect(
      read(
        'frame:75   pts:38400   pts_time:3\nlavfi.scd.score=26.209\nframe=225\nfps=0.00\nframe:150  pts:76800   pts_time:6.04\nprogress=continue\nlavfi.scd.score=32',
      ),
    ).toEqual([
      { atS: 3, score: 26.209 },
      { atS: 6.04, score: 32 },
    ])
  })

  test('a score without a time, or with one that is none, is nothing', () => {
    expect(read('lavfi.scd.score=26\nframe:1 pts:NOPTS pts_time:NOPTS\nlavfi.scd.score=30')).toEqual([])
  })
})

describe('the picture of a scene', () => {
  const span = (startS: number, endS: number) => ({ startS, endS, score: null })

  test.each<[string, ReturnType<typeof span>, number[], number | undefined]>([
    ['near a third of it', span(0, 9), [0, 1000, 2000, 3000, 4000], 3000],
    ['three seconds into a long one', span(100, 900), [100_000, 103_000, 400_000], 103_000],
    ['never of the scene before', span(5, 8), [4990, 7900], 7900],
    ['never of the scene after', span(5, 8), [5000, 8000], 5000],
    ['none where none was made', span(5, 8), [4000, 9000], undefined],
  ])('%s', (_, scene, timesMs, picture) => {
    expect(pictureFor(scene, timesMs)).toBe(picture)
  })

  test('pictures are made every second, of long videos less often', () => {
    expect([60, 3600, 3601, 14_400].map(pictureIntervalS)).toEqual([1, 1, 2, 4])
  })
})

test('the video is decoded once, in small, and every branch lets frames pass', () => {
  const input = { url: 'http://127.0.0.1:1/x', guard: inputGuard(1000, 'http,tcp') }
  const args = sceneArguments({ input, folder: '/scratch/pictures', durationS: 7200 })
  expect(args.filter((arg) => arg === '-i')).toHaveLength(1)
  expect(args[args.indexOf('-filter_complex') + 1]).toBe(
    "[0:V:0]scale=w='trunc(min(640\\,iw*sar)/2)*2':h=-2,setsar=1,split=2[small][shown];" +
      '[small]scale=320:-2,format=rgb24,scdet=t=100,metadata=mode=print:key=lavfi.scd.score:value=5:function=greater:file=-:direct=1[changes];' +
      "[shown]select='isnan(prev_selected_t)+gte(t-prev_selected_t\\,2)',format=gbrp,scale=out_color_matrix=bt601:out_range=pc,format=yuvj420p[pictures]",
  )
  expect(args.indexOf('-protocol_whitelist')).toBeLessThan(args.indexOf('-i'))
  expect(args.at(-1)).toBe('file:/scratch/pictures/%d.jpg')
})
