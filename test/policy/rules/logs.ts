import { edit, set } from '../mutate.ts'
import { blocksOf, containersOf, refersTo, type Values } from '../stack.ts'
import type { Finding, Rule } from './rule.ts'

const retention: Rule = {
  name: 'logs/retention',
  says: 'no log is kept for ever',
  check: (stack) =>
    stack
      .of('aws_cloudwatch_log_group')
      .filter(({ values }) => !(Number(values.retention_in_days) > 0))
      .map(({ address }) => ({ address, problem: 'is kept, and paid for, for ever: retention_in_days' })),
  mutants: [
    { says: 'for ever', change: (json) => set(json, 'aws_cloudwatch_log_group', 'retention_in_days', 0) },
  ],
}

const written: Rule = {
  name: 'logs/written',
  says: 'every container writes to a log group of this stack',
  check: (stack) =>
    stack.of('aws_ecs_task_definition').flatMap((definition) =>
      containersOf(definition).flatMap((container): Finding[] => {
        const [log] = blocksOf(container.logConfiguration)
        const [options] = blocksOf(log?.options)
        const isOurs = stack
          .of('aws_cloudwatch_log_group')
          .some((group) => refersTo(options?.['awslogs-group'], group))
        return log?.logDriver === 'awslogs' && isOurs
          ? []
          : [
              {
                address: definition.address,
                problem: `container ${container.name} writes nowhere that is kept: awslogs with a log group of this stack`,
              },
            ]
      }),
    ),
  mutants: [
    {
      says: 'a group that nobody made',
      change: (json) =>
        edit<Values[]>(json, 'aws_ecs_task_definition', 'container_definitions', ([container]) => {
          for (const log of blocksOf(container?.logConfiguration))
            for (const options of blocksOf(log.options)) options['awslogs-group'] = 'elsewhere'
        }),
    },
  ],
}

export const logRules: Rule[] = [retention, written]
