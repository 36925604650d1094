import { defineConfig } from 'vitest/config'

/**
 * `npm run images:check`: both images, really built and really run. Apart from `npm test`, since it needs root on Linux with
 * buildah, runc and debootstrap (apt-get install buildah runc debootstrap), npm and Debian's packages.
 */
export default defineConfig({
  test: {
    include: ['test/images/**/*.check.ts'],
    testTimeout: 180_000,
    hookTimeout: 1_800_000,
    env: {
      AWS_ACCESS_KEY_ID: 'local',
      AWS_SECRET_ACCESS_KEY: 'local',
      AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
    },
  },
})
