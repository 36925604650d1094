import { edit, put } from '../mutate.ts'
import { blocksOf, containersOf, type Values } from '../stack.ts'
import type { Finding, Rule } from './rule.ts'

const secretName = /TOKEN|SECRET|PASSW|CREDENTIAL|PRIVATE_KEY|ACCESS_KEY|API_KEY/i

const environment: Rule = {
  name: 'secrets/environment',
  says: 'what is secret comes from where secrets are kept, and stands in no task definition',
  check: (stack) =>
    stack.of('aws_ecs_task_definition').flatMap((definition) =>
      containersOf(definition)
        .flatMap(({ environment: variables }) => blocksOf(variables))
        .filter(({ name }) => secretName.test(String(name)))
        .map(
          ({ name }): Finding => ({
            address: definition.address,
            problem: `${name} can be read by whoever may describe it: \`secrets\` with the ARN of a secret`,
          }),
        ),
    ),
  mutants: [
    {
      says: 'the token in plain sight',
      change: (json) =>
        edit<Values[]>(json, 'aws_ecs_task_definition', 'container_definitions', ([container]) => {
          const variables = blocksOf(container?.environment)
          if (container) container.environment = [...variables, { name: 'API_TOKEN', value: 'open sesame' }]
        }),
    },
  ],
}

const secretValue = /\bAKIA[0-9A-Z]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY-----/

const nowhere: Rule = {
  name: 'secrets/nowhere',
  says: 'no key and no password stands in the stack, or is made by it and kept in its state',
  check: (stack) => [
    ...stack.resources
      .filter(({ values }) => secretValue.test(JSON.stringify(values)))
      .map(({ address }) => ({ address, problem: 'holds a key: take it out, and make a new one' })),
    ...stack
      .of('aws_secretsmanager_secret_version', 'aws_iam_access_key', 'random_password', 'tls_private_key')
      .map(({ address }) => ({ address, problem: 'would stand in the state, readable: make it outside' })),
  ],
  mutants: [
    {
      says: 'a key in a tag',
      change: (json) => put(json, 'aws_ecs_cluster', 'tags', { Key: `AKIA${'A'.repeat(16)}` }),
    },
    {
      says: 'a password that Terraform makes',
      change: (json) => {
        json.resource = { ...json.resource, random_password: { token: { length: 32 } } }
      },
    },
  ],
}

const unattended: Rule = {
  name: 'secrets/execution',
  says: 'code that reads files of strangers can read no secret',
  check: (stack) =>
    stack.policies
      .filter(({ kind, address }) => kind === 'identity' && !address.includes('controller-execution'))
      .filter(({ statements }) =>
        statements.some(
          ({ effect, actions }) =>
            effect === 'Allow' && actions.some((action) => /^(secretsmanager|ssm|kms):/.test(action)),
        ),
      )
      .map(({ address }) => ({
        address,
        problem: 'may read secrets: only the execution role of the controller needs to',
      })),
  mutants: [
    {
      says: 'a worker may',
      change: (json) =>
        edit<{ Statement: unknown[] }>(
          json,
          'aws_iam_role_policy',
          'policy',
          ({ Statement: statements }) => {
            statements.push({
              Effect: 'Allow',
              Action: 'secretsmanager:GetSecretValue',
              Resource: 'arn:aws:secretsmanager:us-east-1:123456789012:secret:token',
            })
          },
          (id) => id.includes('media'),
        ),
    },
  ],
}

const guarded: Rule = {
  name: 'secrets/guarded',
  says: 'who can be reached from outside its task asks for a token',
  check: (stack) =>
    stack.of('aws_ecs_task_definition').flatMap((definition) =>
      containersOf(definition)
        .filter(({ environment: variables, secrets }) => {
          const host = blocksOf(variables).find(({ name }) => name === 'HOST')?.value
          const isOpen = host !== undefined && host !== '127.0.0.1'
          return isOpen && !blocksOf(secrets).some(({ name }) => name === 'API_TOKEN')
        })
        .map(
          ({ name }): Finding => ({
            address: definition.address,
            problem: `container ${name} answers everybody who reaches it: API_TOKEN in its secrets`,
          }),
        ),
    ),
  mutants: [
    {
      says: 'without a token',
      of: 'prod, load balancer',
      change: (json) =>
        edit<Values[]>(
          json,
          'aws_ecs_task_definition',
          'container_definitions',
          ([container]) => {
            if (container) delete container.secrets
          },
          (_id, { family }) => String(family).endsWith('-controller'),
        ),
    },
  ],
}

const state: Rule = {
  name: 'secrets/state',
  says: 'what Terraform remembers is encrypted, and written by one at a time',
  check: ({ json }) =>
    Object.entries((json.terraform?.backend ?? {}) as Record<string, Values>)
      .filter(([kind]) => kind === 's3')
      .filter(([, backend]) => backend.encrypt !== true || backend.use_lockfile !== true)
      .map(() => ({
        address: 'terraform.backend.s3',
        problem: 'lacks encrypt = true or use_lockfile = true',
      })),
  mutants: [
    {
      says: 'no lock',
      change: (json) => {
        const [backend] = blocksOf(blocksOf(json.terraform?.backend)[0]?.s3)
        if (backend?.use_lockfile === undefined) throw new Error('there is no state to change')
        delete backend.use_lockfile
      },
    },
  ],
}

export const secretRules: Rule[] = [environment, nowhere, unattended, guarded, state]
