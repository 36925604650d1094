/** One field of an interface in a declaration file. */
export type Field = {
  /** As Terraform has it, where the documentation names it; else as it is. */
  name: string
  required: boolean
  /** `string`, `number`, `X[] | cdktf.IResolvable`, ... */
  type: string
}

export type Interfaces = ReadonlyMap<string, readonly Field[]>

/** `{@link https://.../docs/resources/sqs_queue#delay_seconds SqsQueue#delay_seconds}` */
const documentedName = /#(\w+) \w+#\1\}/

/** The interfaces of a generated declaration file: regular enough to be read line by line. */
export const readInterfaces = (declarations: string): Interfaces =>
  new Map(
    [...declarations.matchAll(/^export (?:declare )?interface (\w+)[^{]*\{\n([\s\S]*?)^\}/gm)].map(
      ([, name = '', body = '']) => [name, fieldsOf(body)],
    ),
  )

const fieldsOf = (body: string): Field[] =>
  [...body.matchAll(/\/\*\*([\s\S]*?)\*\/\s*(?:readonly )?(\w+)(\??): ((?:\{[^}]*\}|[^;{])+);/g)].map(
    ([, comment = '', name = '', optional, type = '']) => ({
      name: documentedName.exec(comment)?.[1] ?? name,
      required: optional !== '?',
      type,
    }),
  )
