import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { applyPatch } from './patch.ts'

const root = fileURLToPath(new URL('../../../', import.meta.url))
/** All that the simulation and the tests of the controller need. */
const parts = [
  'controller',
  'schemas',
  'worker',
  'local',
  'test/sim',
  'test/support',
  'test/controller',
  'package.json',
  'tsconfig.json',
  'vitest.config.ts',
]

const folders = new Set<string>()

/** A copy of the tree in a folder of its own, so that whoever edits meanwhile neither disturbs nor is disturbed. */
export function copyTree(from: string = root): string {
  const folder = mkdtempSync(join(tmpdir(), 'mutant-'))
  folders.add(folder)
  for (const part of parts) cpSync(join(from, part), join(folder, part), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  return folder
}

/** @throws Error when the patch does not fit the tree any more */
export function plant(folder: string, patchFile: string): void {
  const patch = readFileSync(new URL(patchFile, import.meta.url), 'utf8')
  for (const [path, text] of applyPatch(patch, (name) => readFileSync(join(folder, name), 'utf8')))
    writeFileSync(join(folder, path), text)
}

export function removeTree(folder: string): void {
  rmSync(folder, { recursive: true, force: true })
  folders.delete(folder)
}

/** Of a run that is cut short. */
export function removeAll(): void {
  for (const folder of folders) removeTree(folder)
}
