import { createReadStream } from 'node:fs'

/** Lowest and highest sample of each stretch of audio, by turns: 16-bit numbers. */
export type Peaks = { samplesPerPoint: number; values: number[] }

/** The audio that peaks are taken of, as a file of signed 16-bit numbers, little end first, the channels by turns. */
export const peaksRateHz = 8000
export const peaksBytesPerSecond = (channels: number): number => peaksRateHz * 2 * channels

/** 20 ms, the finest that a waveform shows. */
const fewestSamples = 160

/** So many samples for each point that there are not more of them than allowed. Pure. */
export const samplesPerPoint = (samples: number, mostPoints: number): number =>
  Math.max(fewestSamples, Math.ceil(samples / mostPoints))

/** Takes samples in any number of pieces. Pure but for what it has seen. */
export const peakCounter = (perPoint: number) => {
  const values: number[] = []
  let low = 0
  let high = 0
  let seen = 0
  const close = (): void => {
    values.push(low, high)
    seen = 0
  }
  return {
    add: (sample: number): void => {
      low = seen === 0 ? sample : Math.min(low, sample)
      high = seen === 0 ? sample : Math.max(high, sample)
      seen += 1
      if (seen === perPoint) close()
    },
    /** The last point may stand for fewer samples. */
    end: (): Peaks => {
      if (seen > 0) close()
      return { samplesPerPoint: perPoint, values }
    },
  }
}

/**
 * Peaks in several resolutions, by reading the file once. They are those of all channels together: a sum of channels may be
 * nothing where each of them is loud.
 * @param resolutions samples of each channel for each point
 */
export const readPeaks = async (
  path: string,
  { channels, resolutions }: { channels: number; resolutions: readonly number[] },
): Promise<Peaks[]> => {
  const counters = resolutions.map((perPoint) => peakCounter(perPoint * channels))
  // A piece may end in the middle of a sample.
  let rest: Buffer = Buffer.alloc(0)
  for await (const piece of createReadStream(path, { highWaterMark: 1 << 18 })) {
    const bytes: Buffer = rest.length === 0 ? piece : Buffer.concat([rest, piece])
    const whole = bytes.length - (bytes.length % 2)
    for (let at = 0; at < whole; at += 2) {
      const sample = bytes.readInt16LE(at)
      for (const counter of counters) counter.add(sample)
    }
    rest = bytes.subarray(whole)
  }
  return counters.map((counter, index) => ({ ...counter.end(), samplesPerPoint: resolutions[index] ?? 1 }))
}

/** Version 2 of the data format of audiowaveform, with 8 bits, as players load it. Pure. */
export const waveformJson = ({ samplesPerPoint: perPoint, values }: Peaks): string =>
  `${JSON.stringify({
    version: 2,
    channels: 1,
    sample_rate: peaksRateHz,
    samples_per_pixel: perPoint,
    bits: 8,
    length: values.length / 2,
    data: values.map((value) => value >> 8),
  })}\n`
