import { z } from 'zod'
import type { Kind } from './kind.ts'

export const containerParamsSchema = z
  .strictObject({
    taskDefinition: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,255}(:\d{1,9})?$/, {
        error: 'must be a task definition family, or family:revision',
      })
      .describe('Your task definition; without a revision the newest at launch time, kept in the ledger.'),
    container: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,255}$/, {
        error: 'must be the name of a container: 1 to 255 letters, digits, _ and -',
      })
      .optional()
      .describe(
        'Container that command and environment go to. Default: the first one of the task definition.',
      ),
    command: z
      .array(z.string().max(2000))
      .min(1)
      .max(100)
      .optional()
      .describe('Replaces the command of the image.'),
    environment: z
      .record(
        z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, {
          error: 'must be 1 to 128 letters, digits and _, not starting with a digit',
        }),
        z.string().max(2000),
      )
      .refine((environment) => Object.keys(environment).length <= 50, {
        error: 'must be at most 50 variables',
      })
      .optional()
      .describe('Added to the environment of the container. Nothing secret: it stands in the record.'),
  })
  .describe('Parameters of a container job.')

export type ContainerParams = z.infer<typeof containerParamsSchema>

export const container: Kind = {
  title: 'Any image and command of yours: the plain Fargate job',
  params: containerParamsSchema,
  input: 'optional',
  claims: false,
  group: 'own',
  uploadSuffixes: [],
  resources: { cpu: 256, memory: 512 },
}
