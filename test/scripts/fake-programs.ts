import { execFile } from 'node:child_process'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'

/**
 * Programs that are not here (Docker's engine, an AWS account) as shell scripts: each writes down how it was called and answers
 * by the first line of `answers` that its arguments contain. What our scripts do around them is real.
 */
export type FakePrograms = {
  /** Every call so far, as one line. */
  calls(): Promise<string[]>
  run(script: string, args: string[], environment?: Record<string, string>): Promise<Ran>
  close(): Promise<void>
}

export type Ran = { code: number; said: string; complained: string }

/** What a call that contains `when` is answered with; `code` 0 goes to standard output, others to standard error. */
export type Answer = { when: string; say?: string; code?: number }

export async function fakePrograms(programs: Record<string, Answer[]>): Promise<FakePrograms> {
  const folder = await mkdtemp(join(tmpdir(), 'fake-programs-'))
  const log = join(folder, 'calls')
  await writeFile(log, '')
  for (const [name, answers] of Object.entries(programs)) {
    const cases = answers.map(
      ({ when, say = '', code = 0 }) =>
        `*"${when}"*) printf '%s\\n' '${say}' ${code === 0 ? '' : '>&2'}; exit ${code} ;;`,
    )
    const script = [
      '#!/bin/sh',
      `echo "${name} $*" >>${log}`,
      'case "$*" in',
      ...cases,
      'esac',
      'exit 0',
      '',
    ].join('\n')
    await writeFile(join(folder, name), script)
    await chmod(join(folder, name), 0o755)
  }
  return {
    calls: async () => (await readFile(log, 'utf8')).split('\n').filter((line) => line !== ''),
    run: (script, args, environment = {}) =>
      new Promise((done) => {
        // The shell and Node, and else nothing of this machine: what is installed here must not change a test.
        const path = [folder, dirname(process.execPath), '/usr/bin', '/bin']
        const env = { PATH: path.join(delimiter), CDKTF_OUTDIR: join(folder, 'out'), ...environment }
        execFile(process.execPath, ['--import', 'tsx', script, ...args], { env }, (error, said, complained) =>
          done({ code: error ? Number(error.code) : 0, said, complained }),
        )
      }),
    close: () => rm(folder, { recursive: true, force: true }),
  }
}
