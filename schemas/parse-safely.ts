import { z } from 'zod'

/**
 * Like `schema.safeParse`, and never throws. zod compares the length of whatever stands where a text or a list should, and
 * `{"length": {"toString": 1}}` cannot be compared: one such message or record must not stop those that come after it.
 */
export function parseSafely<T>(schema: z.ZodType<T>, value: unknown): Parsed<T> {
  try {
    return schema.safeParse(value)
  } catch {
    const issue = { code: 'custom' as const, path: [], message: 'cannot be read', input: value }
    return { success: false, error: new z.ZodError([issue]) }
  }
}

type Parsed<T> = { success: true; data: T } | { success: false; data?: undefined; error: z.ZodError }
