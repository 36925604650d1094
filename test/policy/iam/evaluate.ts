import { type Context, conditionsHold } from './conditions.ts'
import type { Statement } from './document.ts'
import { fits } from './wildcards.ts'

/** One authorization: an AWS call needs one or more of them. */
export type Request = {
  /** `dynamodb:UpdateItem` */
  action: string
  /** ARN; `*` for actions that IAM knows no narrower resource for. */
  resource: string
  context: Context
}

export type Decision =
  /** `by`: the statements that grant it. */
  { is: 'allowed'; by: Statement[] } | { is: 'denied'; by: Statement } | { is: 'notGranted' }

/** What IAM answers to a request under the policies of one role: a Deny wins, and without an Allow nothing is allowed. */
export const evaluate = (statements: readonly Statement[], request: Request): Decision => {
  const matching = statements.filter((statement) => matches(statement, request))
  const denial = matching.find(({ effect }) => effect === 'Deny')
  if (denial) return { is: 'denied', by: denial }
  return matching.length > 0 ? { is: 'allowed', by: matching } : { is: 'notGranted' }
}

const matches = (statement: Statement, { action, resource, context }: Request): boolean =>
  namesAction(statement, action) &&
  namesResource(statement, resource) &&
  conditionsHold(statement.conditions, context)

/** Actions are compared without regard to case, resources with. */
export const namesAction = ({ actions, notActions }: Statement, action: string): boolean => {
  const named = (patterns: readonly string[]) =>
    patterns.some((pattern) => fits(pattern.toLowerCase(), action.toLowerCase()))
  return named(actions) || (notActions.length > 0 && !named(notActions))
}

const namesResource = ({ resources, notResources }: Statement, resource: string): boolean =>
  resources.some((pattern) => fits(pattern, resource)) ||
  (notResources.length > 0 && !notResources.some((pattern) => fits(pattern, resource)))
