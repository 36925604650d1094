import { add, remove, set } from '../mutate.ts'
import { blocksOf, containersOf, refersTo } from '../stack.ts'
import type { Finding, Rule } from './rule.ts'

const immutable: Rule = {
  name: 'ecr/immutable',
  says: 'a tag means one image for ever, so that a revision runs tomorrow what it runs today',
  check: (stack) =>
    stack
      .of('aws_ecr_repository')
      .filter(({ values }) => values.image_tag_mutability !== 'IMMUTABLE')
      .map(({ address }) => ({
        address,
        problem: 'has tags that can be moved: image_tag_mutability = IMMUTABLE',
      })),
  mutants: [
    { says: 'mutable', change: (json) => set(json, 'aws_ecr_repository', 'image_tag_mutability', 'MUTABLE') },
  ],
}

const scanned: Rule = {
  name: 'ecr/scanned',
  says: 'images are scanned when they come',
  check: (stack) =>
    stack
      .of('aws_ecr_repository')
      .filter(
        ({ values }) =>
          !blocksOf(values.image_scanning_configuration).some(({ scan_on_push }) => scan_on_push === true),
      )
      .map(({ address }) => ({ address, problem: 'is not scanned: scan_on_push = true' })),
  mutants: [
    {
      says: 'not scanned',
      change: (json) => set(json, 'aws_ecr_repository', 'image_scanning_configuration.scan_on_push', false),
    },
  ],
}

const limited: Rule = {
  name: 'ecr/limited',
  says: 'old images go away, and only with a rule of ours',
  check: (stack) => [
    ...stack
      .of('aws_ecr_repository')
      .filter(
        (repository) =>
          !stack.of('aws_ecr_lifecycle_policy').some(({ values }) => refersTo(values.repository, repository)),
      )
      .map(({ address }) => ({
        address,
        problem: 'keeps every image for ever: an aws_ecr_lifecycle_policy',
      })),
    ...stack.of('aws_ecr_repository_policy').map(({ address }) => ({
      address,
      problem: 'opens the repository: roles of this account need no such policy',
    })),
  ],
  mutants: [
    { says: 'for ever', change: (json) => remove(json, 'aws_ecr_lifecycle_policy') },
    {
      says: 'a policy of its own',
      change: (json) =>
        add(json, 'aws_ecr_repository_policy', 'open', {
          repository: `\${aws_ecr_repository.${Object.keys(json.resource?.aws_ecr_repository ?? {})[0]}.name}`,
          policy: '{"Version":"2012-10-17","Statement":[]}',
        }),
    },
  ],
}

const chosen: Rule = {
  name: 'ecr/chosen',
  says: 'which image runs is said by a person, and never by the word latest',
  check: (stack) =>
    stack.of('aws_ecs_task_definition').flatMap((definition) =>
      containersOf(definition).flatMap(({ name, image }): Finding[] =>
        refersTo(image, stack.of('aws_ssm_parameter').find((one) => refersTo(image, one)) ?? definition) ||
        /@sha256:/.test(String(image))
          ? []
          : [
              {
                address: definition.address,
                problem: `container ${name} runs ${image}: the image that its parameter names`,
              },
            ],
      ),
    ),
  mutants: [
    {
      says: 'latest',
      change: (json) => {
        const [definition] = Object.values(json.resource?.aws_ecs_task_definition ?? {})
        const text = String(definition?.container_definitions)
        const latest = text.replace(/"image":"[^"]*"/, '"image":"busybox:latest"')
        if (definition === undefined || latest === text) throw new Error('there is no image to change')
        definition.container_definitions = latest
      },
    },
  ],
}

const remembered: Rule = {
  name: 'ecr/remembered',
  says: 'a deployment leaves alone which image runs',
  check: (stack) =>
    stack
      .of('aws_ssm_parameter')
      .filter((parameter) =>
        stack
          .of('aws_ecs_task_definition')
          .some((definition) => containersOf(definition).some(({ image }) => refersTo(image, parameter))),
      )
      .filter(
        ({ values }) =>
          !blocksOf(values.lifecycle).some(({ ignore_changes }) =>
            [ignore_changes].flat().some((name) => name === 'value' || name === 'insecure_value'),
          ),
      )
      .map(({ address }) => ({
        address,
        problem: 'is set back by every deployment: ignore_changes of its value',
      })),
  mutants: [
    {
      says: 'it is set back',
      change: (json) => set(json, 'aws_ssm_parameter', 'lifecycle', undefined),
    },
  ],
}

export const ecrRules: Rule[] = [immutable, scanned, limited, chosen, remembered]
