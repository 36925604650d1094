import { setTimeout as sleep } from 'node:timers/promises'

/** Asks again and again until there is an answer. Throws, with what was waited for, when there is none in time. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 25_000,
): Promise<T> {
  const endMs = performance.now() + timeoutMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined && answer !== false) return answer
    if (performance.now() > endMs) throw new Error(`Waited ${timeoutMs} ms in vain for ${what}`)
    await sleep(20)
  }
}
