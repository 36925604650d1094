import { z } from 'zod'
import { type PrivateSource, parsePrivateSource } from './public-address.ts'

const partsOf = (text: string): string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')

/** As an operator writes it; handed to tasks as it stands. */
export const privateSourcesText = z
  .string()
  .refine((text) => partsOf(text).every((part) => parsePrivateSource(part) !== undefined), {
    error:
      'must be addresses or networks with or without a port, like 10.1.0.0/16 or 127.0.0.1:8080, and none that is link-local, public or reserved',
  })
  .default('')

/** The same, as a worker reads it. */
export const privateSourcesSchema = privateSourcesText.transform((text): PrivateSource[] =>
  partsOf(text).flatMap((part) => parsePrivateSource(part) ?? []),
)
