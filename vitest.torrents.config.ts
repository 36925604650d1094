import { defineConfig } from 'vitest/config'

/** Real BitTorrent clients on loopback: `npm run test:torrents`. Apart from `npm test`, since it needs Debian packages. */
export default defineConfig({
  test: {
    include: ['test/torrents/**/*.torrents.ts'],
    globalSetup: ['test/torrents/install.ts'],
    env: {
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    },
    testTimeout: 240_000,
    hookTimeout: 240_000,
  },
})
