import { defineConfig } from 'vitest/config'

/**
 * The stack on moto, an AWS that others wrote: `npm run test:moto`. What needs it ends in `.moto.ts` and is apart from `npm
 * test`, since it needs Python and PyPI; what is pure is in both.
 */
export default defineConfig({
  test: {
    include: ['test/moto/**/*.{test,moto}.ts'],
    globalSetup: ['test/moto/install.ts'],
    env: { AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true' },
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
})
