import type { Preset } from './schema.ts'

/**
 * What is different from one environment to the next. Everything here may be edited; what only the person who deploys
 * knows (addresses, accounts, what exists already) comes from environment variables and wins: `variables` in config.ts.
 */
export const environments = {
  /** Cheap, and gone without a trace when it is destroyed. */
  dev: {
    network: { profile: 'public' },
    protectData: false,
    versioning: 'disabled',
    uploadsExpireDays: 14,
    outputsExpireDays: 30,
    logRetentionDays: 14,
    monthlyBudgetUsd: 50,
    oldestPendingMinutes: 60,
  },
  /** Nothing crosses the internet, and nothing that users own goes away by itself. */
  prod: {
    network: { profile: 'endpoints' },
    protectData: true,
    versioning: 'enabled',
    logRetentionDays: 90,
    monthlyBudgetUsd: 500,
    oldestPendingMinutes: 30,
  },
} as const satisfies Record<string, Preset>

export type EnvironmentName = keyof typeof environments
