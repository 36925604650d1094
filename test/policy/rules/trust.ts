import { addStatement, editStatement } from '../mutate.ts'
import type { Policy } from '../stack.ts'
import type { Finding, Rule } from './rule.ts'

const conditionValues = (conditions: Policy['statements'][number]['conditions'], key: string): string[] =>
  Object.entries(conditions).flatMap(([operator, keys]) =>
    /^(ForAllValues:|.*IfExists$)/.test(operator) ? [] : (keys[key] ?? []),
  )

/** The ARN of a bucket names no account: whoever gets the name next is let in. All others do. */
const isOfNoAccount = (arn: string): boolean => /^arn:[^:]*:s3:|aws_s3_bucket\./.test(arn)

const isWildcard = (values: readonly string[]) => values.some((value) => value === '*')

const trust: Rule = {
  name: 'trust/trust',
  says: 'a role is taken on by a service of AWS, on behalf of this account only',
  check: (stack) =>
    stack.policies
      .filter(({ kind }) => kind === 'trust')
      .flatMap((policy) =>
        policy.statements.flatMap((statement): Finding[] => {
          const problems = [
            ...(Object.keys(statement.principals).join() === 'Service'
              ? []
              : ['trusts somebody who is no service of AWS: only Service principals']),
            ...(conditionValues(statement.conditions, 'aws:sourceaccount').length === 1
              ? []
              : ['can be taken on for another account: StringEquals aws:SourceAccount']),
          ]
          return problems.map((problem) => ({ address: policy.address, problem }))
        }),
      ),
  mutants: [
    {
      says: 'ECS may take it on for anybody',
      change: (json) =>
        editStatement(
          json,
          'aws_iam_role',
          () => true,
          (one) => delete one.Condition,
          'assume_role_policy',
        ),
    },
    {
      says: 'another account may take it on',
      change: (json) =>
        editStatement(
          json,
          'aws_iam_role',
          () => true,
          (one) => {
            one.Principal = { AWS: 'arn:aws:iam::111122223333:root' }
          },
          'assume_role_policy',
        ),
    },
  ],
}

const principals: Rule = {
  name: 'trust/principals',
  says: 'no policy of a resource lets everybody in',
  check: (stack) =>
    stack.policies
      .filter(({ kind }) => kind === 'resource')
      .flatMap((policy) =>
        policy.statements
          .filter(
            ({ effect, principals: who }) =>
              effect === 'Allow' && Object.values(who).some((names) => isWildcard(names)),
          )
          .map(({ sid = 'without Sid' }) => ({
            address: policy.address,
            problem: `statement ${sid} lets every principal in: name a service or a role`,
          })),
      ),
  mutants: [
    {
      says: 'everybody may send to the queue',
      change: (json) =>
        addStatement(json, 'aws_sqs_queue_policy', {
          Effect: 'Allow',
          Principal: '*',
          Action: 'sqs:SendMessage',
        }),
    },
  ],
}

const confusedDeputy: Rule = {
  name: 'trust/confusedDeputy',
  says: 'a service of AWS is let in for one source of this account, never for whoever uses that service',
  check: (stack) =>
    stack.policies
      .filter(({ kind }) => kind === 'resource')
      .flatMap((policy) =>
        policy.statements
          .filter(({ effect, principals: who }) => effect === 'Allow' && who.Service !== undefined)
          .flatMap(({ sid = 'without Sid', conditions }): Finding[] => {
            const sources = conditionValues(conditions, 'aws:sourcearn')
            const accounts = conditionValues(conditions, 'aws:sourceaccount')
            const lacks = [
              ...(sources.length === 0 || isWildcard(sources) ? ['aws:SourceArn'] : []),
              ...(accounts.length === 0 && sources.some(isOfNoAccount) ? ['aws:SourceAccount'] : []),
            ]
            return lacks.map((key) => ({
              address: policy.address,
              problem: `statement ${sid} lets a service in for everybody who uses it: condition ${key}`,
            }))
          }),
      ),
  mutants: [
    {
      says: 'any bucket of S3 may send to the queue',
      change: (json) =>
        addStatement(json, 'aws_sqs_queue_policy', {
          Effect: 'Allow',
          Principal: { Service: 's3.amazonaws.com' },
          Action: 'sqs:SendMessage',
          Condition: { StringEquals: { 'aws:SourceAccount': '123456789012' } },
        }),
    },
    {
      says: 'a bucket of that name in any account may send to the queue',
      change: (json) =>
        addStatement(json, 'aws_sqs_queue_policy', {
          Effect: 'Allow',
          Principal: { Service: 's3.amazonaws.com' },
          Action: 'sqs:SendMessage',
          Condition: { ArnEquals: { 'aws:SourceArn': 'arn:aws:s3:::their-uploads' } },
        }),
    },
  ],
}

export const trustRules: Rule[] = [trust, principals, confusedDeputy]
