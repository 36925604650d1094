import type { Statement } from './document.ts'
import { evaluate, type Request } from './evaluate.ts'
import { fits } from './wildcards.ts'

/** Every request once. */
export const distinct = (requests: readonly Request[]): Request[] => [
  ...new Map(requests.map((request) => [JSON.stringify(request), request])).values(),
]

/** What was asked for and would be refused on AWS, a sentence for each. */
export const refused = (statements: readonly Statement[], requests: readonly Request[]): string[] =>
  requests.flatMap((request) => {
    const decision = evaluate(statements, request)
    return decision.is === 'allowed'
      ? []
      : [`${request.action} on ${request.resource} ${JSON.stringify(request.context)}: ${decision.is}`]
  })

/** What is allowed and was never asked for: by action and resource, and by each attribute that may be named. */
export const unused = (statements: readonly Statement[], requests: readonly Request[]): string[] =>
  statements
    .filter(({ effect }) => effect === 'Allow')
    .flatMap((statement) => [
      ...statement.actions.flatMap((action) =>
        statement.resources
          .filter(
            (resource) =>
              !requests.some((request) =>
                uses({ ...statement, actions: [action], resources: [resource] }, request),
              ),
          )
          .map((resource) => `${action} on ${resource}`),
      ),
      ...Object.entries(statement.conditions)
        .filter(([operator]) => operator.startsWith('ForAllValues:'))
        .flatMap(([, keys]) => Object.entries(keys))
        .flatMap(([key, allowed]) => {
          const asked = requests
            .filter((request) => uses(statement, request))
            .flatMap(({ context }) => context[key] ?? [])
          return allowed
            .filter((pattern) => !asked.some((value) => fits(pattern, value)))
            .map((pattern) => `${key} ${pattern}`)
        }),
    ])

const uses = (statement: Statement, request: Request): boolean =>
  evaluate([statement], request).is === 'allowed'

/** What would be allowed if the same was asked about things of another installation, a sentence for each. */
export const grantedElsewhere = (
  statements: readonly Statement[],
  requests: readonly Request[],
  prefix: string,
): string[] =>
  requests.flatMap((request) => {
    const here = JSON.stringify(request)
    const elsewhere = here.replaceAll(prefix, 'other-')
    const isGranted = evaluate(statements, JSON.parse(elsewhere) as Request).is === 'allowed'
    // What names nothing of an installation is the same request again.
    return here !== elsewhere && isGranted ? [elsewhere] : []
  })
