import type { Api } from './api.ts'

/** What browsers are told about every answer. Nothing of ours belongs into a frame, a cache or another page. */
export function sendSafeHeaders(app: Api): void {
  app.addHook('onRequest', async (_request, reply) => {
    void reply.headers({
      'content-security-policy': contentPolicy([]),
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'cache-control': 'no-store',
    })
  })
}

/**
 * Scripts and styles come from our own files only, so a text that somebody smuggled into a record stays a text.
 * @param objectOrigins where files are uploaded to and pictures come from
 */
export const contentPolicy = (objectOrigins: readonly string[]): string => {
  const objects = objectOrigins.map((origin) => ` ${origin}`).join('')
  return [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    `img-src 'self'${objects}`,
    `connect-src 'self'${objects}`,
    "form-action 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}
