import { describe, expect, test } from 'vitest'
import { exitCodes, judgeExitCode } from '../../schemas/exit-codes.ts'
import { asWorkerError, type ErrorCode, errorCatalogue, WorkerError } from '../../worker/errors.ts'

const codes = Object.keys(errorCatalogue) as ErrorCode[]

describe('the error catalogue', () => {
  test.each(codes)('%s has an exit code of the contract and one sentence', (code) => {
    const { exitCode, sentence } = errorCatalogue[code]
    expect(Object.values(exitCodes)).toContain(exitCode)
    expect(exitCode).not.toBe(exitCodes.done)
    expect(sentence).toMatch(/^[A-Za-z0-9].*[^.]$/)
  })

  test('what is wrong with the input is never tried again', () => {
    const wrong = codes.filter((code) => /^INPUT_|^NO_/.test(code) && code !== 'INPUT_INCOMPLETE')
    expect(wrong.length).toBeGreaterThan(8)
    for (const code of wrong) expect(judgeExitCode(errorCatalogue[code].exitCode), code).toBe('fail')
  })

  test('what passes by itself is tried again', () => {
    for (const code of ['STALLED', 'DISK_FULL', 'TABLE_UNAVAILABLE', 'STORAGE_UNAVAILABLE'] as const)
      expect(judgeExitCode(errorCatalogue[code].exitCode), code).toBe('retry')
  })

  test('a detail follows the sentence', () => {
    expect(new WorkerError('INPUT_EMPTY').message).toBe('The input is an empty file.')
    expect(new WorkerError('NO_VIDEO_STREAM', 'it has only audio').message).toBe(
      'The input has no video: it has only audio.',
    )
  })

  test('what nobody foresaw is a fault of ours, with exit code 70', () => {
    expect(asWorkerError(new TypeError('x is undefined'))).toMatchObject({
      code: 'INTERNAL_ERROR',
      exitCode: 70,
      message: 'A fault of the worker: x is undefined.',
    })
  })
})
