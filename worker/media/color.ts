import type { VideoStream } from './probe.ts'

/** What numbers of a picture mean as colors; the words are those of ffmpeg. */
export type Color = { primaries: string; transfer: string; matrix: string }

/** The one that every player knows. */
export const bt709: Color = { primaries: 'bt709', transfer: 'bt709', matrix: 'bt709' }

/** Of television in standard definition; its matrix is that of all pictures that say nothing. */
const bt601: Color = { primaries: 'smpte170m', transfer: 'smpte170m', matrix: 'smpte170m' }

/** Words that a file may say and that H.264 can say too; anything else counts as unsaid. */
const known: Record<keyof Color, readonly string[]> = {
  primaries: [
    'bt709',
    'bt470m',
    'bt470bg',
    'smpte170m',
    'smpte240m',
    'film',
    'bt2020',
    'smpte431',
    'smpte432',
  ],
  transfer: [
    ...['bt709', 'bt470m', 'bt470bg', 'smpte170m', 'smpte240m', 'linear', 'iec61966-2-1', 'iec61966-2-4'],
    ...['bt2020-10', 'bt2020-12', 'smpte2084', 'arib-std-b67'],
  ],
  matrix: ['bt709', 'fcc', 'bt470bg', 'smpte170m', 'smpte240m', 'bt2020nc'],
}

/**
 * The color that renditions are marked with. A picture that is marked with nothing is shown by its size: the 360p rendition
 * of a 1080p video would get other colors than its 1080p one. So every rendition says what it is: where the source is
 * silent, what players would take it for at its own size. Pure.
 */
export const outputColor = (video: VideoStream, toneMapped: boolean): Color => {
  if (toneMapped || isRgb(video)) return bt709
  const usual = Math.min(video.width, video.height) >= 720 || video.width >= 1280 ? bt709 : bt601
  const said = (field: keyof Color) =>
    known[field].includes(video.color[field]) ? video.color[field] : usual[field]
  return { primaries: said('primaries'), transfer: said('transfer'), matrix: said('matrix') }
}

/** Words that zscale takes in every version that we run on, for pictures of HDR; anything else counts as unsaid. */
const mappable = {
  primaries: [...known.primaries, 'smpte428', 'jedec-p22', 'ebu3213'],
  matrix: ['bt709', 'fcc', 'bt470bg', 'smpte170m', 'bt2020nc', 'ycgco', 'ictcp', 'gbr'],
  range: ['tv', 'pc'],
}

/** What the numbers of an HDR picture mean; what a file leaves unsaid is what HDR10 and HLG prescribe. Pure. */
export const hdrColor = (color: VideoStream['color']): Record<keyof typeof mappable, string> => {
  const said = (field: keyof typeof mappable, otherwise: string) =>
    mappable[field].includes(color[field]) ? color[field] : otherwise
  return {
    primaries: said('primaries', 'bt2020'),
    matrix: said('matrix', 'bt2020nc'),
    range: said('range', 'tv'),
  }
}

/** Red, green and blue, as screens are recorded, have no matrix yet; it is chosen when they become brightness and color. */
export const isRgb = ({ pixelFormat, color }: VideoStream): boolean =>
  color.matrix === 'gbr' || /^(gbr|rgb|bgr|argb|abgr|0rgb|0bgr|pal8|x2rgb|x2bgr)/.test(pixelFormat)

/** The end of a chain of filters: whatever came in, it goes out marked. Frames carry the marks; options of the encoder lose against them. Pure. */
export const colorMarks = ({ primaries, transfer, matrix }: Color): string =>
  `setparams=range=tv:color_primaries=${primaries}:color_trc=${transfer}:colorspace=${matrix}`
