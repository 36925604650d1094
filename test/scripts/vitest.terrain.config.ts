import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: { include: ['test/scripts/terrain.check.ts'], testTimeout: 120_000 },
})
