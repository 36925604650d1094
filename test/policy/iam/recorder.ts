import { startProxy } from '../../support/proxy.ts'
import type { Call } from './requests.ts'

export type Recorder = {
  /** What a process takes for the address of AWS. */
  endpoint: string
  calls: Call[]
  /** From now on calls of this operation break, until the function that it returns is called. */
  breakCalls(operation: string): () => void
  close(): Promise<void>
}

/** Stands between one role and the local AWS, and writes down what is asked: one recorder for each role. */
export async function startRecorder(aws: string): Promise<Recorder> {
  const calls: Call[] = []
  const broken = new Set<string>()
  const proxy = await startProxy(
    aws,
    ({ operation }) => (broken.has(operation) ? 'refuse' : 'pass'),
    ({ operation, body }, status) => {
      calls.push({ operation, body, status })
    },
  )
  return {
    endpoint: proxy.endpoint,
    calls,
    breakCalls(operation) {
      broken.add(operation)
      return () => void broken.delete(operation)
    },
    close: proxy.close,
  }
}
