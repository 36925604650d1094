import { defineConfig } from 'vitest/config'

/** Recordings from a real RTSP server: `npm run test:streams`. Apart from `npm test`, since it needs Debian packages. */
export default defineConfig({
  test: {
    include: ['test/streams/**/*.streams.ts'],
    globalSetup: ['test/streams/install.ts'],
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
})
