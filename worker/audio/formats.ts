import type { AudioFormat, AudioParams } from '../../schemas/kinds/audio.ts'

export type Shape = { channels: number; sampleRateHz: number }

/** In the words of ffmpeg. */
export const layoutOf = (channels: number): 'mono' | 'stereo' => (channels === 1 ? 'mono' : 'stereo')

type Format = {
  /** Of the file's name. */
  suffix: string
  /** As ffprobe calls it; of WAV there is one for each size of sample. */
  codecs: readonly string[]
  muxer: readonly string[]
  /** The rate that it gets, from that of the input. */
  sampleRateHz: (inputHz: number) => number
  encoder: (params: Encoding, shape: Shape) => readonly string[]
  /** At most, per second. */
  bytesPerSecond: (params: Encoding, shape: Shape) => number
}

export type Encoding = Pick<AudioParams, 'bitrateKbps' | 'bitsPerSample'>

/** Rates of MPEG audio; whatever lies between goes up to the next one. */
const mpegRatesHz = [8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000]
const mpegRate = (inputHz: number): number => mpegRatesHz.find((rate) => rate >= inputHz) ?? 48_000
const losslessRate = (inputHz: number): number => Math.min(192_000, Math.max(8000, inputHz))

/** An AAC frame of 1024 samples has at most 6144 bits for each channel (ISO 14496-3); the encoder complains above it. */
const aacKbps = (wanted: number, { channels, sampleRateHz }: Shape): number =>
  Math.min(wanted, Math.floor((6 * channels * sampleRateHz) / 1000))

const losslessBytesPerSecond = ({ bitsPerSample }: Encoding, { channels, sampleRateHz }: Shape): number =>
  (channels * sampleRateHz * bitsPerSample) / 8

/** Container and packets take a little more than the bit rate says. */
const lossyBytesPerSecond = (kbps: number): number => kbps * 125 * 1.1 + 500

export const formats: Record<AudioFormat, Format> = {
  mp3: {
    suffix: 'mp3',
    codecs: ['mp3'],
    muxer: ['-f', 'mp3', '-id3v2_version', '3'],
    sampleRateHz: mpegRate,
    encoder: ({ bitrateKbps }) => ['-c:a', 'libmp3lame', '-b:a', `${bitrateKbps.mp3}k`],
    bytesPerSecond: ({ bitrateKbps }) => lossyBytesPerSecond(bitrateKbps.mp3),
  },
  aac: {
    suffix: 'm4a',
    codecs: ['aac'],
    muxer: ['-f', 'ipod', '-movflags', '+faststart'],
    sampleRateHz: mpegRate,
    encoder: ({ bitrateKbps }, shape) => ['-c:a', 'aac', '-b:a', `${aacKbps(bitrateKbps.aac, shape)}k`],
    // The index is moved to the beginning, for which the file is written twice in places.
    bytesPerSecond: ({ bitrateKbps }) => lossyBytesPerSecond(bitrateKbps.aac),
  },
  opus: {
    suffix: 'opus',
    codecs: ['opus'],
    muxer: ['-f', 'opus'],
    sampleRateHz: () => 48_000,
    encoder: ({ bitrateKbps }) => [
      // Unconstrained it takes almost twice the rate for what is hard to encode.
      ...['-c:a', 'libopus', '-b:a', `${bitrateKbps.opus}k`, '-vbr', 'constrained'],
    ],
    bytesPerSecond: ({ bitrateKbps }) => lossyBytesPerSecond(bitrateKbps.opus),
  },
  flac: {
    suffix: 'flac',
    codecs: ['flac'],
    muxer: ['-f', 'flac'],
    sampleRateHz: losslessRate,
    // Without the sample format it would silently be 24 bits.
    encoder: ({ bitsPerSample }) => [
      ...['-c:a', 'flac', '-sample_fmt', bitsPerSample === 16 ? 's16' : 's32'],
      ...(bitsPerSample === 16 ? [] : ['-bits_per_raw_sample', '24']),
    ],
    bytesPerSecond: losslessBytesPerSecond,
  },
  wav: {
    suffix: 'wav',
    codecs: ['pcm_s16le', 'pcm_s24le'],
    // Above 4 GiB a WAV file cannot say how large it is; then it becomes RF64.
    muxer: ['-f', 'wav', '-rf64', 'auto'],
    sampleRateHz: losslessRate,
    encoder: ({ bitsPerSample }) => ['-c:a', `pcm_s${bitsPerSample}le`],
    bytesPerSecond: losslessBytesPerSecond,
  },
}
