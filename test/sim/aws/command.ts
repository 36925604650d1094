import { ModelGap } from './errors.ts'
import type { Command, Service } from './ports.ts'

type Handler = { knows: ReadonlySet<string>; run: (input: never) => object }

/**
 * A service out of one function for each command, by the name of its class. A member of the input that the function does
 * not know is a gap of the model, never silently ignored.
 * @throws ModelGap for commands and members that the model lacks
 */
export const serviceOf = (service: string, handlers: Readonly<Record<string, Handler>>): Service => {
  const byName = new Map(Object.entries(handlers))
  return {
    execute(command: Command) {
      const { input } = command
      const { name } = command.constructor
      const handler = byName.get(name)
      if (handler === undefined) throw new ModelGap(`The model of ${service} has no ${name}`)
      for (const member in input)
        if (!handler.knows.has(member) && input[member as keyof typeof input] !== undefined)
          throw new ModelGap(`The model of ${service} does not know ${member} of ${name}`)
      return handler.run(input as never)
    },
  }
}

export const handler = <Input extends object>(
  members: readonly (keyof Input & string)[],
  run: (input: Input) => object,
): Handler => ({ knows: new Set<string>(members), run })
