/** One place of a file that a patch changes: what stands there, and what is to stand there instead. */
type Hunk = { before: string; after: string }
type FilePatch = { path: string; hunks: Hunk[] }

/**
 * Applies a unified patch to texts. Line numbers count for nothing, so edits elsewhere in a file do no harm; instead each
 * hunk has to fit in exactly one place, so that it never lands where nobody meant it to.
 * @returns the changed files
 * @throws Error that says which hunk fits nowhere, or more than once
 */
export function applyPatch(patch: string, read: (path: string) => string): Map<string, string> {
  const changed = new Map<string, string>()
  for (const { path, hunks } of parsePatch(patch)) {
    let text = `\n${changed.get(path) ?? read(path)}`
    for (const { before, after } of hunks) {
      const places = text.split(before).length - 1
      const [first = ''] = before.trim().split('\n')
      if (places !== 1) throw new Error(`${path}: fits in ${places} places: ${first.trim()}`)
      text = text.replace(before, () => after)
    }
    changed.set(path, text.slice(1))
  }
  if (changed.size === 0) throw new Error('The patch changes nothing')
  return changed
}

function parsePatch(patch: string): FilePatch[] {
  const files: FilePatch[] = []
  for (const line of patch.split('\n')) {
    const file = files.at(-1)
    if (line.startsWith('--- ')) continue
    if (line.startsWith('+++ ')) files.push({ path: line.replace(/^\+\+\+ (b\/)?/, '').trim(), hunks: [] })
    else if (line.startsWith('@@')) file?.hunks.push({ before: '\n', after: '\n' })
    else {
      const hunk = file?.hunks.at(-1)
      if (!hunk) continue
      const text = `${line.slice(1)}\n`
      if (line.startsWith(' ') || line.startsWith('-')) hunk.before += text
      if (line.startsWith(' ') || line.startsWith('+')) hunk.after += text
    }
  }
  return files
}
