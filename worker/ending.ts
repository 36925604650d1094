/** The ways in which the work of a task is ended from outside. */
export type Ending = {
  /** Given when the work must end at once. */
  signal: AbortSignal
  /** Ends it at once, whatever was agreed. */
  now: (reason: unknown) => void
  /** From now on a shutdown is told by the signal that this returns; `signal` follows when time is up. */
  inOrder: () => AbortSignal
  close: () => void
}

/** Of the 120 s that Fargate leaves after SIGTERM, ours end after 100; 20 of them belong to the report. */
export const orderlyEndMs = 75_000

/** Turns a shutdown of the task into the end of its work: at once, or in order for who asked for it. */
export const watchForEnd = (shutdown: AbortSignal, orderlyMs = orderlyEndMs): Ending => {
  const ended = new AbortController()
  const asked = new AbortController()
  let isOrderly = false
  let timer: NodeJS.Timeout | undefined
  const end = () => ended.abort(shutdown.reason)
  const onShutdown = () => {
    asked.abort(shutdown.reason)
    if (isOrderly) timer = setTimeout(end, orderlyMs)
    else end()
  }
  shutdown.addEventListener('abort', onShutdown, { once: true })
  if (shutdown.aborted) onShutdown()
  return {
    signal: ended.signal,
    now: (reason) => ended.abort(reason),
    inOrder: () => {
      isOrderly = true
      return asked.signal
    },
    close: () => {
      clearTimeout(timer)
      shutdown.removeEventListener('abort', onShutdown)
    },
  }
}
