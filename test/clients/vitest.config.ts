import { defineConfig } from 'vitest/config'

/** Clients that others wrote, against the local AWS: `npm run test:clients`. Apart from `npm test`, since it needs Python and PyPI. */
export default defineConfig({
  test: {
    include: ['test/clients/**/*.test.ts'],
    globalSetup: ['test/clients/install.ts'],
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
