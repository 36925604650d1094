import type { Call, Verdict } from '../support/proxy.ts'
import type { Window } from './windows.ts'

export type Trap = {
  /** Resolves with the call that opened the window. One at a time. */
  set(window: Window): { struck: Promise<void>; remove(): void }
  /**
   * The verdict on a call that opens the window; undefined when it does not.
   * @param kill false: there is nobody to kill, so the window is not used
   */
  judge(
    call: Call,
    caller: Window['caller'],
    kill: (victim: Window['victim']) => boolean,
  ): Verdict | undefined
}

/** Waits on the wire for the call that opens a window, and strikes right there. */
export function createTrap(): Trap {
  let waiting: { window: Window; strike: () => void } | undefined
  return {
    set(window) {
      const struck = new Promise<void>((resolve) => {
        waiting = { window, strike: resolve }
      })
      return {
        struck,
        remove() {
          waiting = undefined
        },
      }
    },
    judge(call, caller, kill) {
      if (waiting?.window.caller !== caller || !waiting.window.at(call)) return undefined
      const { window, strike } = waiting
      if (!kill(window.victim)) return undefined
      waiting = undefined
      strike()
      return window.verdict
    },
  }
}
