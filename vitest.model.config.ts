import { defineConfig } from 'vitest/config'

/** The exhaustive model: `npm run test:model`. It takes a core for most of a minute, so `npm test` leaves it to CI. */
export default defineConfig({
  test: {
    include: ['test/model/**/*.test.ts'],
    maxWorkers: 1,
    testTimeout: 300_000,
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
  },
})
