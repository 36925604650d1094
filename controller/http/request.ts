import { isKindName, kinds } from '../../schemas/kinds/index.ts'
import { type JobRequest, jobOfRequest, jobRequestSchema } from '../../schemas/message.ts'
import { parseSafely } from '../../schemas/parse-safely.ts'
import { type Problem, problemsOf } from '../../schemas/problems.ts'
import { requestJobId } from '../intake/messages.ts'
import { resolveSettings } from '../intake/resolve.ts'
import type { Policy } from '../policy.ts'

export type ReadRequest =
  | { is: 'valid'; jobId: string; request: JobRequest }
  | { is: 'invalid'; problems: Problem[] }

/**
 * Reads the body of POST /jobs: the job, or everything that is wrong with it at once. A job that passes here is accepted by
 * the controller too, which resolves it with the same function.
 * @param headerKey the header Idempotency-Key, which stands for `idempotencyKey` of the body
 * @param carrierId makes the id of a request that brings neither id nor key
 */
export function readJobRequest(
  body: unknown,
  headerKey: string | undefined,
  carrierId: string,
  policy: Policy,
): ReadRequest {
  const withKey = headerKey === undefined || !isObject(body) ? body : { idempotencyKey: headerKey, ...body }
  const parsed = parseSafely(jobRequestSchema, withKey)
  const ofTheJob = isObject(body) ? jobProblems(body, policy) : []
  const ofTheForm = parsed.success ? [] : problemsOf(parsed.error, withKey)
  const problems = [
    // Which kinds there are says more than that there must be one.
    ...ofTheForm.filter(
      ({ field }) => field !== 'kind' || !ofTheJob.some((problem) => problem.field === field),
    ),
    ...contraryKeys(body, headerKey),
    ...ofTheJob,
  ]
  if (!parsed.success || problems.length > 0) return { is: 'invalid', problems: eachOnce(problems) }
  return { is: 'valid', jobId: requestJobId(parsed.data, carrierId), request: parsed.data }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const contraryKeys = (body: unknown, headerKey: string | undefined): Problem[] =>
  headerKey !== undefined &&
  isObject(body) &&
  body.idempotencyKey !== undefined &&
  body.idempotencyKey !== headerKey
    ? [
        {
          field: 'idempotencyKey',
          value: JSON.stringify(body.idempotencyKey).slice(0, 100),
          rule: 'must be the same as the header Idempotency-Key',
        },
      ]
    : []

/** What is wrong with kind and spec, as the controller would find it; parameters also when something else is wrong too. */
function jobProblems(body: Record<string, unknown>, policy: Policy): Problem[] {
  const { jobId } = body
  const { kind, spec } = jobOfRequest(body)
  const resolved = resolveSettings(typeof jobId === 'string' ? jobId : 'new', kind, spec, policy)
  switch (resolved.is) {
    case 'valid':
      return []
    case 'tooBig':
      return [resolved.problem]
    case 'invalid':
      return [...resolved.problems, ...paramsProblems(kind, spec)]
    default:
      throw resolved satisfies never
  }
}

function paramsProblems(kind: unknown, spec: unknown): Problem[] {
  if (typeof kind !== 'string' || !isKindName(kind)) return []
  const params = isObject(spec) ? (spec.params ?? {}) : {}
  const parsed = kinds[kind].params.safeParse(params)
  return parsed.success ? [] : problemsOf(parsed.error, params, ['spec', 'params'])
}

const eachOnce = (problems: readonly Problem[]): Problem[] => [
  ...new Map(problems.map((problem) => [`${problem.field} ${problem.rule}`, problem])).values(),
]
