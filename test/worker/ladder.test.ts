import { describe, expect, test } from 'vitest'
import { transcodeParamsSchema } from '../../schemas/kinds/transcode.ts'
import { keyFrameInterval, ladder, outputRate } from '../../worker/media/ladder.ts'

const { renditions } = transcodeParamsSchema.parse({})
const sizes = (width: number, height: number, heights?: number[]) =>
  ladder(
    { width, height },
    heights?.map((each) => ({ height: each, maxBitrateKbps: 1000 })) ?? renditions,
  ).map((rung) => `${rung.name} ${rung.width}x${rung.height}`)

describe('the ladder of a picture', () => {
  test.each<[string, number, number, string[]]>([
    ['1080p', 1920, 1080, ['1080p 1920x1080', '720p 1280x720', '480p 854x480', '360p 640x360']],
    [
      '4K gets nothing above the list',
      3840,
      2160,
      ['1080p 1920x1080', '720p 1280x720', '480p 854x480', '360p 640x360'],
    ],
    [
      'one pixel short of 1080 leaves that rung out',
      1918,
      1079,
      ['720p 1280x720', '480p 854x480', '360p 640x360'],
    ],
    [
      'portrait goes by the short side',
      1080,
      1920,
      ['1080p 1080x1920', '720p 720x1280', '480p 480x854', '360p 360x640'],
    ],
    ['square', 720, 720, ['720p 720x720', '480p 480x480', '360p 360x360']],
    ['exactly the smallest rung', 640, 360, ['360p 640x360']],
    ['too small for every rung: its own size', 320, 180, ['180p 320x180']],
    ['odd and too small: even, never larger', 321, 241, ['240p 320x240']],
    ['odd portrait', 241, 321, ['240p 240x320']],
    ['very wide', 2000, 400, ['360p 1800x360']],
    ['a sliver', 1000, 3, ['2p 666x2']],
  ])('%s', (_, width, height, want) => {
    expect(sizes(width, height)).toEqual(want)
  })

  test('what the user lists is sorted, largest first', () => {
    expect(sizes(1280, 720, [360, 720, 540])).toEqual(['720p 1280x720', '540p 960x540', '360p 640x360'])
  })

  test('the rung at source size has the bit rate of the smallest one listed', () => {
    expect(ladder({ width: 320, height: 180 }, renditions)).toEqual([
      { name: '180p', width: 320, height: 180, maxBitrateKbps: 800 },
    ])
  })

  test('for every small size all sides are even, none is larger than the source, none is nothing', () => {
    for (let width = 2; width <= 130; width += 1)
      for (let height = 2; height <= 130; height += 1)
        for (const rung of ladder({ width, height }, [{ height: 96, maxBitrateKbps: 100 }])) {
          const fits =
            rung.width <= width && rung.height <= height && rung.width % 2 === 0 && rung.height % 2 === 0
          if (!fits || rung.width < 2 || rung.height < 2)
            expect.fail(`${width}x${height} -> ${JSON.stringify(rung)}`)
        }
  })
})

describe('the frame rate of the output', () => {
  const video = (nominal: [number, number], average: [number, number], interlaced = false) => {
    const [nominalRate, averageRate] = [nominal, average].map(([num, den]) => ({ num, den }))
    if (nominalRate === undefined || averageRate === undefined) throw new Error('two rates are needed')
    const deviation = Math.abs(nominal[0] / nominal[1] / (average[0] / average[1]) - 1)
    return { nominalRate, averageRate, variableFrameRate: deviation > 0.02, interlaced }
  }
  test.each<[string, ReturnType<typeof video>, number, number]>([
    ['stays 25', video([25, 1], [25, 1]), 25, 1],
    ['stays 29.97 exactly', video([30_000, 1001], [30_000, 1001]), 30_000, 1001],
    ['60 is kept', video([60, 1], [60, 1]), 60, 1],
    ['59.94 is kept', video([60_000, 1001], [60_000, 1001]), 60_000, 1001],
    ['120 is halved', video([120, 1], [120, 1]), 120, 2],
    ['240 is halved twice', video([240, 1], [240, 1]), 240, 4],
    ['varying: the rate that holds every time stamp', video([25, 1], [575, 49]), 25, 1],
    [
      'varying, with an absurd nominal rate: the usual rate next above the average',
      video([1000, 1], [282, 10]),
      30_000,
      1001,
    ],
    ['varying around 24', video([90_000, 1], [24, 1]), 24, 1],
    ['varying beyond 60', video([1000, 1], [200, 1]), 60, 1],
    ['interlaced 25 becomes 50', video([25, 1], [25, 1], true), 50, 1],
    ['a slide show gets one frame a second', video([1, 10], [1, 10]), 1, 1],
  ])('%s', (_, source, num, den) => {
    expect(outputRate(source)).toEqual({ num, den })
  })

  test.each([
    [25, 1, 50],
    [30_000, 1001, 60],
    [60, 1, 120],
    [1, 1, 2],
    [24_000, 1001, 48],
  ])('at %d/%d a key frame comes every %d frames', (num, den, want) => {
    expect(keyFrameInterval({ num, den })).toBe(want)
  })
})
