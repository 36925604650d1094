import { invalidParameter } from './errors.ts'

export type PageRequest = { nextToken?: string | undefined; maxResults?: number | undefined }

/**
 * One page of a list whose items have a cursor that grows along the list: at most `maxResults` (1 to 100, default 100), and an
 * opaque token for what follows. A cursor names a place and not an item, so a page can go on where an item has vanished.
 */
export function pageOf<Item>(
  items: readonly Item[],
  cursorOf: (item: Item) => string,
  { nextToken, maxResults = 100 }: PageRequest,
): { items: readonly Item[]; nextToken?: string } {
  if (maxResults < 1 || maxResults > 100) throw invalidParameter('maxResults must be between 1 and 100.')
  const after = nextToken === undefined ? '' : cursorFrom(nextToken)
  const rest = items.filter((item) => cursorOf(item) > after)
  const page = rest.slice(0, maxResults)
  const last = page.at(-1)
  return last !== undefined && rest.length > page.length
    ? { items: page, nextToken: Buffer.from(`after:${cursorOf(last)}`).toString('base64url') }
    : { items: page }
}

function cursorFrom(nextToken: string): string {
  const text = Buffer.from(nextToken, 'base64url').toString()
  if (!text.startsWith('after:')) throw invalidParameter('Invalid token.')
  return text.slice('after:'.length)
}
