/**
 * Spaces and commas, a name up to its equals sign, a value: as ffmpeg takes a list of attributes apart (`ff_parse_key_value`), which
 * lets a quotation mark be written with a backslash, and does not care what stands in a name.
 */
const attribute = /[ \t\v\f,]*([^=]*=)("((?:\\.|[^"\\])*)"?|[^ \t\v\f,]*)/gsy

/**
 * The line of a playlist with every address in its attributes replaced. A line that merely has `URI=` in a value keeps it: to find
 * addresses anywhere else than ffmpeg does is how one of them would come past us. Pure.
 */
export const withAddresses = (line: string, replaced: (address: string) => string): string => {
  const [, tag, list = ''] = /^(#[A-Z0-9-]+:)(.*)$/s.exec(line) ?? []
  if (tag === undefined || !list.includes('URI=')) return line
  const attributes = [...list.matchAll(attribute)].map(([, name = '', value = '', quoted]) =>
    name.endsWith('URI=')
      ? `${name}"${replaced(quoted === undefined ? value : unescaped(quoted))}"`
      : name + value,
  )
  return tag + attributes.join(',')
}

const unescaped = (quoted: string): string => quoted.replace(/\\(.)/gs, '$1')
