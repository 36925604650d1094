import { defineConfig } from 'vitest/config'

/**
 * The tests of what ffmpeg makes, once more under ffmpeg 5.1 of Debian 12, the oldest that we take: `npm run test:ffmpeg51`.
 * Apart from `npm test`, since it needs a Debian package.
 */
export default defineConfig({
  test: {
    include: ['test/worker/{audio,audio-inputs,color,hostile,loudness,mp4,stills,transcode}.test.ts'],
    globalSetup: ['test/ffmpeg51/install.ts'],
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
    env: {
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    },
  },
})
