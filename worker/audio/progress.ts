import type { Status } from '../heartbeat.ts'
import { remainingS } from '../media/progress.ts'

export const audioStages = ['analyse', 'convert', 'check', 'upload'] as const
export type AudioStage = (typeof audioStages)[number]

/**
 * What part of the whole each stage takes, in CPU seconds for a minute of audio as they were measured. Pure.
 */
export const stageWeights = (of: {
  analyses: boolean
  normalizes: boolean
  formats: number
}): Record<AudioStage, number> => ({
  analyse: of.analyses ? 0.6 + (of.normalizes ? 2.5 : 0) : 0,
  convert: 1 + of.formats * 1.2 + (of.normalizes ? 6 : 0),
  check: 0.1 + of.formats * 0.6,
  upload: 0.3 + of.formats * 0.2,
})

/**
 * Turns the share of a stage into the percentage of the whole, which never falls and stays below 100, and an estimate of what
 * is left.
 */
export const stagedProgress = (
  weights: Readonly<Record<AudioStage, number>>,
  { tell, nowMs }: { tell: (status: Status) => void; nowMs: () => number },
) => {
  const startMs = nowMs()
  const total = audioStages.reduce((sum, stage) => sum + weights[stage], 0)
  let best = 0
  return (stage: AudioStage, share: number): void => {
    const before = audioStages
      .slice(0, audioStages.indexOf(stage))
      .reduce((sum, earlier) => sum + weights[earlier], 0)
    const done = (before + weights[stage] * Math.min(1, Math.max(0, share))) / total
    best = Math.max(best, Math.min(0.99, done))
    const etaS = remainingS(best, nowMs() - startMs)
    tell({ stage, percent: Math.round(best * 1000) / 10, ...(etaS === undefined ? {} : { etaS }) })
  }
}
