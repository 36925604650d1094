import { z } from 'zod'

/** What `terraform output -json` says, as far as scripts read it (cdktf/constructs/outputs.ts). */
const outputSchema = z.object({
  region: z.object({ value: z.string() }),
  jobs_table: z.object({ value: z.string() }),
  uploads_bucket: z.object({ value: z.string() }),
  outputs_bucket: z.object({ value: z.string() }),
  controller_image: z.object({ value: z.string() }),
  worker_image: z.object({ value: z.string() }),
  status_command: z.object({ value: z.string() }),
})

export type Outputs = Record<keyof z.infer<typeof outputSchema>, string>

/** Undefined before the first deployment, when there are no outputs, or not yet these. */
export function readOutputs(json: string): Outputs | undefined {
  const parsed = outputSchema.safeParse(parseJson(json))
  if (!parsed.success) return undefined
  return Object.fromEntries(Object.entries(parsed.data).map(([name, { value }]) => [name, value])) as Outputs
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Whether what was deployed starts other images than those that are there now. */
export const mustDeployAgain = (
  outputs: Outputs | undefined,
  images: Readonly<{ controller: string; worker: string }>,
): boolean => outputs?.controller_image !== images.controller || outputs.worker_image !== images.worker

/** Options of `npm run deploy`: its own, and those that it hands to `npm run images`. */
export function splitOptions(args: readonly string[]): { approve: boolean; help: boolean; images: string[] } {
  const own = ['--auto-approve', '--help', '-h']
  return {
    approve: args.includes('--auto-approve'),
    help: args.includes('--help') || args.includes('-h'),
    images: args.filter((one) => !own.includes(one)),
  }
}
