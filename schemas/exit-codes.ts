/**
 * What a worker's exit code means (after sysexits.h). One table for the worker that exits and the controller that judges.
 * `fail`: the same input will fail again. `retry`: counted as a failed attempt. `infrastructure`: has its own budget.
 */
export const exitCodes = {
  done: 0,
  badInput: 65,
  inputMissing: 66,
  serviceUnavailable: 69,
  internalError: 70,
  temporary: 75,
  fencedOut: 76,
  notAllowed: 77,
  badConfiguration: 78,
  outOfMemory: 137,
  interrupted: 143,
} as const

export type ExitVerdict = 'done' | 'fail' | 'retry' | 'infrastructure'

/** Codes that our workers never use belong to the user's container: an ordinary failure, retried. */
export const judgeExitCode = (code: number): ExitVerdict => {
  switch (code) {
    case exitCodes.done:
      return 'done'
    case exitCodes.badInput:
    case exitCodes.inputMissing:
    case exitCodes.notAllowed:
    case exitCodes.badConfiguration:
      return 'fail'
    case exitCodes.fencedOut:
    case exitCodes.interrupted:
      return 'infrastructure'
    default:
      return 'retry'
  }
}
