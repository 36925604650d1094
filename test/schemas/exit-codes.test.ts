import { expect, test } from 'vitest'
import { exitCodes, judgeExitCode } from '../../schemas/exit-codes.ts'

test.each([
  [exitCodes.done, 0, 'done'],
  [exitCodes.badInput, 65, 'fail'],
  [exitCodes.inputMissing, 66, 'fail'],
  [exitCodes.notAllowed, 77, 'fail'],
  [exitCodes.badConfiguration, 78, 'fail'],
  [exitCodes.serviceUnavailable, 69, 'retry'],
  [exitCodes.internalError, 70, 'retry'],
  [exitCodes.temporary, 75, 'retry'],
  [exitCodes.fencedOut, 76, 'infrastructure'],
  [exitCodes.interrupted, 143, 'infrastructure'],
  // Killed: without the platform's word that it was the memory, an ordinary failure.
  [exitCodes.outOfMemory, 137, 'retry'],
])('exit code %i (%i of the contract): %s', (code, contract, verdict) => {
  expect(code).toBe(contract)
  expect(judgeExitCode(code)).toBe(verdict)
})

test('every other code belongs to the user’s container, and is retried', () => {
  const ours: number[] = Object.values(exitCodes)
  const others = Array.from({ length: 256 }, (_, code) => code).filter((code) => !ours.includes(code))
  expect(new Set(others.map(judgeExitCode))).toEqual(new Set(['retry']))
})
