import { describe, expect, test } from 'vitest'
import { type ChildOptions, runChild } from '../../worker/children.ts'

const path = process.env.PATH ?? ''
const shell = (script: string, options: Partial<ChildOptions> = {}) =>
  runChild('/bin/sh', ['-c', script], {
    env: { PATH: path },
    signal: new AbortController().signal,
    ...options,
  })
const soon = (ms: number) => AbortSignal.timeout(ms)

describe('a child', () => {
  test('ends with its exit code; every line of its output was seen, the last one too', async () => {
    const lines: string[] = []
    const end = await shell('seq 1 20000; printf tail; exit 3', { onStdoutLine: (line) => lines.push(line) })
    expect(end).toEqual({ exitCode: 3, signal: null, stderr: '' })
    expect([lines.length, lines.at(-2), lines.at(-1)]).toEqual([20_001, '20000', 'tail'])
  })

  test('sees no variable but those it was given', async () => {
    const lines: string[] = []
    await shell('env', { env: { PATH: path, ONLY: 'this' }, onStdoutLine: (line) => lines.push(line) })
    const names = lines.map((line) => line.split('=')[0]).filter((name) => name !== 'PWD' && name !== '_')
    expect(new Set(names)).toEqual(new Set(['PATH', 'ONLY']))
  })

  test('of its complaints the end is kept, without signatures', async () => {
    const end = await shell("yes complaint | head -c 50000 >&2; echo 'https://b/x?X-Amz-Signature=abc' >&2")
    expect(end.stderr.length).toBeLessThanOrEqual(16 * 1024 + 10)
    expect(end.stderr).toMatch(/X-Amz-Signature=\*\*\*\n$/)
  })

  test('is stopped by SIGTERM', async () => {
    expect(await shell('exec sleep 30', { signal: soon(50) })).toMatchObject({ signal: 'SIGTERM' })
  })

  test('that does not listen is killed', async () => {
    const startMs = Date.now()
    const end = await shell("trap '' TERM; while :; do :; done", { signal: soon(50), killAfterMs: 200 })
    expect(end.signal).toBe('SIGKILL')
    expect(Date.now() - startMs).toBeLessThan(5000)
  })

  test('that leaves something behind on its pipes is not waited for', async () => {
    const startMs = Date.now()
    await shell('sleep 1 & wait', { signal: soon(50), killAfterMs: 200 })
    expect(Date.now() - startMs).toBeLessThan(900)
  })

  test('that cannot be started says so', async () => {
    const never = new AbortController().signal
    await expect(runChild('/nonexistent/ffmpeg', [], { env: {}, signal: never })).rejects.toThrow('ENOENT')
  })
})
