import { CookieJar, MemoryCookieStore, type Store } from 'tough-cookie'

/** What the servers of one source set. */
export type Cookies = {
  /** What a request for this address says; empty: nothing. */
  for: (address: string) => Promise<string>
  /** @param set the lines of `set-cookie` in the answer that came from there */
  keep: (address: string, set: readonly string[]) => Promise<void>
}

/** A source that sets new ones with every answer would otherwise fill our memory and its own requests. */
const mostCookies = 100

/** Empty at first. Who gets a cookie back follows RFC 6265 and the list of public suffixes; loopback is no safe place here. */
export const openCookies = (): Cookies => {
  const store: Store = new MemoryCookieStore()
  const jar = new CookieJar(store, { allowSecureOnLocal: false })
  return {
    for: (address) => jar.getCookieString(address),
    keep: async (address, set) => {
      for (const line of set) await jar.setCookie(line, address, { ignoreError: true })
      const kept = await store.getAllCookies()
      for (const { domain, path, key } of kept.slice(0, -mostCookies))
        await store.removeCookie(domain, path, key)
    },
  }
}
