// Whom a request comes from, for throttling.
import { isIP, isIPv6 } from 'node:net'
import { getConnInfo } from '@hono/node-server/conninfo'
import type { Context } from 'hono'
import proxyAddr from 'proxy-addr'

/**
 * The caller's address, as a throttle counts it: IPv6 by its /64, because one household has that many.
 * `X-Forwarded-For` is believed only as far as the hops that wrote it are trusted.
 */
export type ClientAddress = (c: Context) => string

/** `trusted`: addresses, CIDR blocks, or the names `loopback`, `linklocal`, `uniquelocal`. @throws Error for anything else */
export function makeClientAddress(trusted: readonly string[]): ClientAddress {
  const trust = proxyAddr.compile([...trusted])
  return (c) => {
    const remoteAddress = peerOf(c)
    const hops = (c.req.header('x-forwarded-for') ?? '')
      .split(',')
      .map((hop) => hop.trim())
      .filter(Boolean)
      .reverse()
    let address = remoteAddress
    for (const [index, hop] of hops.entries()) {
      if (!trust(address, index) || !isIP(hop)) break
      address = hop
    }
    return network(address)
  }
}

function peerOf(c: Context): string {
  // Without a socket, when an app is called in process, there is nobody to tell apart.
  const hasSocket = c.env && typeof c.env === 'object' && 'incoming' in c.env
  return (hasSocket ? getConnInfo(c).remote.address : undefined) ?? '127.0.0.1'
}

function network(address: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)
  if (mapped?.[1]) return mapped[1]
  if (!isIPv6(address)) return address
  // The URL parser writes an IPv6 address in its one canonical form (RFC 5952), without a zone.
  const canonical = new URL(`http://[${address.split('%')[0]}]/`).hostname.slice(1, -1)
  const [head = '', tail = ''] = canonical.split('::')
  const left = head ? head.split(':') : []
  const right = tail ? tail.split(':') : []
  const groups = canonical.includes('::') ? [...left, ...Array(8 - left.length - right.length).fill('0'), ...right] : left
  return `${groups.slice(0, 4).join(':')}::/64`
}
