import { defineConfig } from 'vitest/config'

/** Tests that need Chromium: `npm run test:browser`. They are not part of `npm test`, which must run where there is none. */
export default defineConfig({
  test: {
    include: ['test/browser/**/*.test.ts'],
    maxWorkers: 1,
    testTimeout: 20_000,
    hookTimeout: 60_000,
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
  },
})
