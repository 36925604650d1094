import { jobsTableShape } from '../../../schemas/resources.ts'
import { editStatement, set } from '../mutate.ts'
import { blocksOf } from '../stack.ts'
import type { Finding, Rule } from './rule.ts'

const restorable: Rule = {
  name: 'dynamodb/restorable',
  says: 'every table can be set back to any second of the last weeks',
  check: (stack) =>
    stack
      .of('aws_dynamodb_table')
      .filter(
        ({ values }) => !blocksOf(values.point_in_time_recovery).some(({ enabled }) => enabled === true),
      )
      .map(({ address }) => ({ address, problem: 'cannot be restored: point_in_time_recovery enabled' })),
  mutants: [
    {
      says: 'off',
      change: (json) => set(json, 'aws_dynamodb_table', 'point_in_time_recovery.enabled', false),
    },
  ],
}

/** Reads the environment from the tags, which a person reads as well. */
const deletionProtected: Rule = {
  name: 'dynamodb/deletionProtected',
  says: 'tables are all protected against deletion, or none is: in production all',
  check: (stack) => {
    const tables = stack.of('aws_dynamodb_table')
    const isKept = ({ values }: (typeof tables)[number]) => values.deletion_protection_enabled === true
    const isProduction = JSON.stringify(stack.json.provider?.aws ?? []).includes('"prod"')
    return tables
      .filter((table) => !isKept(table) && (isProduction || tables.some(isKept)))
      .map(
        ({ address }): Finding => ({
          address,
          problem: 'can be deleted: deletion_protection_enabled = true',
        }),
      )
  },
  mutants: [
    {
      says: 'one of them can be deleted',
      change: (json) => set(json, 'aws_dynamodb_table', 'deletion_protection_enabled', false),
    },
  ],
}

/** TTL removes what has the attribute, so it must be the one that only tombstones have. */
const ttl: Rule = {
  name: 'dynamodb/ttl',
  says: 'records go away by themselves only by the attribute of tombstones',
  check: (stack) =>
    stack
      .of('aws_dynamodb_table')
      .filter(({ values }) =>
        blocksOf(values.ttl).some(
          ({ enabled, attribute_name }) => enabled === true && attribute_name !== jobsTableShape.ttlAttribute,
        ),
      )
      .map(({ address }) => ({
        address,
        problem: `expires by another attribute than ${jobsTableShape.ttlAttribute}`,
      })),
  mutants: [
    {
      says: 'by the time of creation',
      change: (json) =>
        set(
          json,
          'aws_dynamodb_table',
          'ttl.attribute_name',
          'createdAt',
          (_id, values) => values.ttl !== undefined,
        ),
    },
  ],
}

const workerActions = ['dynamodb:UpdateItem']
const isOfTheController = (address: string) => /controller/.test(address)

/** A worker that a malicious file has taken over may lie about its own job, and nothing else. */
const attributes: Rule = {
  name: 'dynamodb/attributes',
  says: 'a worker writes its own attributes of a record and no others',
  check: (stack) =>
    stack.policies
      .filter(({ kind, address }) => kind === 'identity' && !isOfTheController(address))
      .flatMap((policy) =>
        policy.statements.flatMap((statement): Finding[] => {
          const named = statement.actions.filter((action) => action.startsWith('dynamodb:'))
          if (named.length === 0) return []
          const more = named.filter((action) => !workerActions.includes(action))
          const limited = statement.conditions['ForAllValues:StringEquals']?.['dynamodb:attributes'] ?? []
          // Without this, a request that names no attribute fits every list of attributes.
          const isBare = limited.length === 0 || limited.some((name) => name.includes('*'))
          return [
            ...(more.length === 0
              ? []
              : [
                  {
                    address: policy.address,
                    problem: `allows ${more.join(', ')}: a worker only updates its record`,
                  },
                ]),
            ...(isBare
              ? [
                  {
                    address: policy.address,
                    problem: 'may write every attribute: ForAllValues:StringEquals dynamodb:Attributes',
                  },
                ]
              : []),
          ]
        }),
      ),
  mutants: [
    {
      says: 'a worker may write everything',
      change: (json) =>
        editStatement(
          json,
          'aws_iam_role_policy',
          ({ Condition }) => Condition?.['ForAllValues:StringEquals'] !== undefined,
          (one) => delete one.Condition,
        ),
    },
    {
      says: 'a worker may delete records',
      change: (json) =>
        editStatement(
          json,
          'aws_iam_role_policy',
          ({ Condition }) => Condition?.['ForAllValues:StringEquals'] !== undefined,
          (one) => {
            one.Action = ['dynamodb:UpdateItem', 'dynamodb:DeleteItem']
          },
        ),
    },
  ],
}

export const dynamodbRules: Rule[] = [restorable, deletionProtected, ttl, attributes]
