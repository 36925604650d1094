import { defineConfig } from 'vitest/config'

/** A real recogniser behind the local Transcribe: `npm run test:asr`. Apart from `npm test`, since it needs Debian packages. */
export default defineConfig({
  test: {
    include: ['test/asr/**/*.asr.ts'],
    globalSetup: ['test/asr/install.ts'],
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
})
