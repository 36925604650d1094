import { put } from '../mutate.ts'
import { blocksOf } from '../stack.ts'
import type { Rule } from './rule.ts'

const wanted = ['Project', 'Environment', 'Installation']

const byDefault: Rule = {
  name: 'tags/byDefault',
  says: 'everything that can be tagged says whose it is',
  check: ({ json }) =>
    (json.provider?.aws ?? []).flatMap((provider, index) => {
      const tags = blocksOf(provider.default_tags).flatMap((one) => blocksOf(one.tags))
      const missing = wanted.filter((name) => !tags.some((tag) => String(tag[name] ?? '') !== ''))
      return missing.length === 0
        ? []
        : [{ address: `provider.aws[${index}]`, problem: `gives no tag ${missing.join(', ')}: default_tags` }]
    }),
  mutants: [
    {
      says: 'a second provider without tags',
      change: (json) => {
        json.provider = { aws: [...(json.provider?.aws ?? []), { region: 'us-east-1', alias: 'other' }] }
      },
    },
    {
      says: 'none',
      change: (json) => {
        for (const provider of json.provider?.aws ?? []) delete provider.default_tags
      },
    },
  ],
}

const notOverwritten: Rule = {
  name: 'tags/notOverwritten',
  says: 'no resource says something else than the installation does',
  check: (stack) =>
    stack.resources
      .filter(({ values }) =>
        blocksOf(values.tags).some((tags) => wanted.some((name) => tags[name] !== undefined)),
      )
      .map(({ address }) => ({
        address,
        problem: `has its own ${wanted.join(', ')}: leave them to default_tags`,
      })),
  mutants: [
    {
      says: 'a project of its own',
      change: (json) => put(json, 'aws_ecs_cluster', 'tags', { Project: 'other' }),
    },
  ],
}

export const tagRules: Rule[] = [byDefault, notOverwritten]
