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
  if (!isIPv6(address)) return address
  const groups = groupsOf(address)
  const [high = 0, low = 0] = groups.slice(6)
  // IPv4 in IPv6 (RFC 4291, section 2.5.5.2): what a socket that takes both shows for a caller over IPv4.
  if (groups.slice(0, 6).join() === '0,0,0,0,0,65535') return [high >> 8, high & 255, low >> 8, low & 255].join('.')
  return `${groups
    .slice(0, 4)
    .map((group) => group.toString(16))
    .join(':')}::/64`
}

/** The eight numbers of an IPv6 address. The URL parser writes it in its one canonical form (RFC 5952); a zone says nothing of the caller. */
function groupsOf(address: string): number[] {
  const canonical = new URL(`http://[${address.split('%')[0]}]/`).hostname.slice(1, -1)
  const [left = [], right = []] = canonical.split('::').map((part) => part.split(':').filter(Boolean))
  const zeros = Array<string>(8 - left.length - right.length).fill('0')
  return [...left, ...zeros, ...right].map((group) => Number.parseInt(group, 16))
}
