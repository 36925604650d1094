import {
  type CloudWatchLogsClient,
  GetLogEventsCommand,
  InvalidParameterException,
  ResourceNotFoundException,
} from '@aws-sdk/client-cloudwatch-logs'

export type LogLine = { at: string; message: string }

/** `next` leads on from here, also when more is written later; `isEnd`: there is no more right now. */
export type LogPage =
  | { is: 'lines'; lines: LogLine[]; next: string; isEnd: boolean }
  | { is: 'missing' }
  | { is: 'badToken' }

export type LogQuery = {
  /** Lines at the most, 1 to 10,000. */
  limit: number
  /** Of the page before. */
  next?: string | undefined
  /** Without `next`: the first lines, or the last ones. */
  from: 'start' | 'end'
}

export type LogReader = { read(stream: string, query: LogQuery): Promise<LogPage> }

/** Logs of tasks in CloudWatch. */
export function createLogReader(client: Pick<CloudWatchLogsClient, 'send'>, group: string): LogReader {
  const page = async (stream: string, { limit, next, from }: LogQuery) => {
    const { events, nextForwardToken } = await client.send(
      new GetLogEventsCommand({
        logGroupName: group,
        logStreamName: stream,
        limit,
        startFromHead: next !== undefined || from === 'start',
        ...(next === undefined ? {} : { nextToken: next }),
      }),
    )
    return { events: events ?? [], token: nextForwardToken ?? next ?? '' }
  }

  return {
    async read(stream, query) {
      try {
        let before = query.next
        let { events, token } = await page(stream, query)
        // A page may be empty although more follow; the same token again means the end (CloudWatch Logs, GetLogEvents).
        for (let more = emptyPagesAtMost; events.length === 0 && token !== before && more > 0; more -= 1) {
          before = token
          ;({ events, token } = await page(stream, { ...query, next: before }))
        }
        return {
          is: 'lines',
          lines: events.map(({ timestamp, message }) => ({
            at: new Date(timestamp ?? 0).toISOString(),
            message: message ?? '',
          })),
          next: token,
          isEnd: token === before || (query.next === undefined && query.from === 'end'),
        }
      } catch (error) {
        if (error instanceof ResourceNotFoundException) return { is: 'missing' }
        if (error instanceof InvalidParameterException && query.next !== undefined) return { is: 'badToken' }
        throw error
      }
    },
  }
}

const emptyPagesAtMost = 5
