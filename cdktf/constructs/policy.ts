/** Policy documents as AWS wants them. */

export type Statement = {
  sid: string
  effect?: 'Allow' | 'Deny'
  actions: readonly string[]
  resources: readonly string[]
  principals?: '*' | { service: string } | { aws: readonly string[] }
  conditions?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>
}

export const policyDocument = (statements: readonly Statement[]): string =>
  JSON.stringify({ Version: '2012-10-17', Statement: statements.map(rendered) })

const rendered = ({ sid, effect = 'Allow', actions, resources, principals, conditions }: Statement) => ({
  Sid: sid,
  Effect: effect,
  ...(principals !== undefined && { Principal: principalOf(principals) }),
  Action: actions,
  Resource: resources,
  ...(conditions !== undefined && { Condition: conditions }),
})

const principalOf = (principals: NonNullable<Statement['principals']>) => {
  if (principals === '*') return '*'
  return 'service' in principals ? { Service: principals.service } : { AWS: principals.aws }
}

/** Who may take on a role: a service that acts for this account, and nobody who makes it act for them from another one. */
export const mayAssume = (service: string, accountId: string, sourceArns: string): string =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: { Service: service },
        Action: 'sts:AssumeRole',
        Condition: {
          StringEquals: { 'aws:SourceAccount': accountId },
          ArnLike: { 'aws:SourceArn': sourceArns },
        },
      },
    ],
  })
