import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { containersOf, readStack, type StackJson } from '../stack.ts'
import { readInterfaces } from './interfaces.ts'
import { fieldProblems } from './validate.ts'

const sdk = dirname(createRequire(import.meta.url).resolve('@aws-sdk/client-ecs/package.json'))
const interfaces = readInterfaces(readFileSync(join(sdk, 'dist-types/models/models_0.d.ts'), 'utf8'))

/**
 * Container definitions are text to Terraform: a misspelt name in them is ignored without a word. So they are compared with
 * what the SDK says of RegisterTaskDefinition.
 */
export const containerProblems = (json: StackJson): string[] =>
  readStack(json)
    .of('aws_ecs_task_definition')
    .flatMap((definition) =>
      containersOf(definition).flatMap((container, index) =>
        fieldProblems(
          container,
          interfaces.get('ContainerDefinition') ?? [],
          interfaces,
          `${definition.address}.container_definitions[${index}]`,
        ),
      ),
    )
