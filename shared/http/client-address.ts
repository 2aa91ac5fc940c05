// Which address a request comes from, for throttling. X-Forwarded-For is a list that each proxy appends the address of its own caller to:
// entries count only as far as the proxies that wrote them are trusted, because a caller can send any list.
import { isIP } from 'node:net'
import { getConnInfo } from '@hono/node-server/conninfo'
import type { Context } from 'hono'
import ipaddr from 'ipaddr.js'
import { AppError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'

/** Which proxies wrote the end of X-Forwarded-For. */
export type TrustedProxies =
  /** Those at addresses, in CIDR blocks, or at `loopback`. */
  | { type: 'addresses'; addresses: readonly string[] }
  /** A chain of this many, at any addresses. Each of them must append to the header. */
  | { type: 'hops'; hops: number }

/** The caller's address, as a throttle counts it: IPv6 by its /64, because one household has that many. */
export type ClientAddress = (c: Context) => string

type Address = ReturnType<typeof ipaddr.parse>
type Block = [Address, number]

const LOOPBACK = ['127.0.0.0/8', '::1/128']

/** @throws Error for an entry that is neither an address, nor a CIDR block, nor `loopback` */
export function createClientAddress(trusted: TrustedProxies, log: Log): ClientAddress {
  const isTrusted = trusted.type === 'hops' ? (_address: Address, index: number) => index < trusted.hops : isIn(trusted.addresses)
  let warned = false

  /** Callers can write the entries that a missing proxy does not: an operator has to learn that the count is wrong. */
  function warnOfMissing(entries: readonly string[]): void {
    if (warned || trusted.type !== 'hops' || entries.length >= trusted.hops) return
    warned = true
    log('warn', 'fewer proxies than TRUSTED_PROXIES counts', { counted: trusted.hops, seen: entries.length })
  }

  return (c) => {
    const entries = (c.req.header('x-forwarded-for') ?? '')
      .split(',')
      .map((entry) => entry.trim())
      .filter(Boolean)
      .reverse()
    warnOfMissing(entries)
    let address = parse(peerOf(c))
    for (const [index, entry] of entries.entries()) {
      const before = isTrusted(address, index) ? addressOf(entry) : undefined
      if (!before) break
      address = before
    }
    return network(address)
  }
}

function isIn(trusted: readonly string[]): (address: Address) => boolean {
  const blocks = trusted.flatMap((entry) => (entry === 'loopback' ? LOOPBACK : [entry])).map(blockOf)
  return (address) => ipaddr.subnetMatch(address, { trusted: blocks }, 'none') === 'trusted'
}

function blockOf(entry: string): Block {
  if (entry.includes('/')) return ipaddr.parseCIDR(entry)
  const address = ipaddr.parse(entry)
  return [address, address.kind() === 'ipv4' ? 32 : 128]
}

/** An entry is an address, with a port behind it where some load balancers write one; IPv6 is then in brackets. */
function addressOf(entry: string): Address | undefined {
  const [, bracketed, dotted = entry] = /^(?:\[([^\]]*)\]|([\d.]+))(?::\d{1,5})?$/.exec(entry) ?? []
  if (bracketed !== undefined) return isIP(bracketed) === 6 ? parse(bracketed) : undefined
  // Stricter than the library, which also reads numbers of fewer than four parts and in octal.
  return isIP(dotted) ? parse(dotted) : undefined
}

/** A zone names an interface of this machine: the library does not read all of them, and none says anything of the caller. */
function parse(address: string): Address {
  return ipaddr.process(address.split('%')[0] ?? '')
}

function peerOf(c: Context): string {
  const hasSocket = c.env && typeof c.env === 'object' && 'incoming' in c.env
  // An app that is called in process has no socket, and one caller.
  if (!hasSocket) return '127.0.0.1'
  const { address } = getConnInfo(c).remote
  // A closed socket has no address. Any other address in its place could be one of a trusted proxy.
  if (address === undefined) throw new AppError('malformed', 'The client has disconnected.')
  return address
}

function network(address: Address): string {
  return address.kind() === 'ipv4' ? address.toString() : `${ipaddr.IPv6.networkAddressFromCIDR(`${address}/64`)}/64`
}
