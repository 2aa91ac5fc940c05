import fc from 'fast-check'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import type { LogLine } from '../testing/context.ts'
import { createClientAddress, type TrustedProxies } from './client-address.ts'

const addresses = (...list: string[]): TrustedProxies => ({ type: 'addresses', addresses: list })
const hops = (count: number): TrustedProxies => ({ type: 'hops', hops: count })

/** An app that answers with the address that its caller counts as, and the lines that it logs. */
function appBehind(trusted: TrustedProxies) {
  const lines: LogLine[] = []
  const clientAddress = createClientAddress(trusted, (level, message, fields = {}) => lines.push({ level, message, fields }))
  const app = new Hono().get('/', (c) => c.text(clientAddress(c)))
  async function countedAs(peer: string, forwarded?: string) {
    const socket = { remoteAddress: peer, remotePort: 50_000, remoteFamily: peer.includes(':') ? 'IPv6' : 'IPv4' }
    const headers: Record<string, string> = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }
    return (await app.request('/', { headers }, { incoming: { socket } })).text()
  }
  return { countedAs, lines }
}

describe('the address that a caller counts as', () => {
  it.each([
    ['its own', '203.0.113.7', '203.0.113.7'],
    ['IPv4 in IPv6 as the IPv4 that it is', '::ffff:203.0.113.7', '203.0.113.7'],
    ['the same in hexadecimal', '::ffff:cb00:7107', '203.0.113.7'],
    ['IPv6 by its /64', '2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['however it is written', '2001:0DB8:0001:0002::6', '2001:db8:1:2::/64'],
    ['with zeros left out in front', '::1', '::/64'],
    ['with zeros left out inside', '2001:db8::1', '2001:db8::/64'],
    ['and without its zone', 'fe80::1%eth0', 'fe80::/64'],
    ['whatever the zone is called', 'fe80::1%eth-0.100', 'fe80::/64'],
  ])('is %s', async (_case, peer, expected) => {
    expect(await appBehind(addresses()).countedAs(peer)).toBe(expected)
  })

  it('differs between two /64', async () => {
    const { countedAs } = appBehind(addresses())
    expect(await countedAs('2001:db8:1:2::1')).not.toBe(await countedAs('2001:db8:1:3::1'))
  })

  it('is known for every address form of a socket', async () => {
    const { countedAs } = appBehind(addresses())
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.ipV4(), fc.ipV6()), async (address) => {
        expect(await countedAs(address)).toMatch(/^[\d.]+$|^[\da-f:]+::\/64$|^::\/64$/)
      }),
    )
  })
})

describe('X-Forwarded-For, where proxies are known by their addresses', () => {
  const TEN = ['10.0.0.0/8']
  it.each([
    ['from a peer when none is trusted', '203.0.113.7', '198.51.100.1', [], '203.0.113.7'],
    ['from a peer that is not the trusted one', '203.0.113.7', '198.51.100.1', ['203.0.113.8'], '203.0.113.7'],
    ['from the trusted peer', '203.0.113.8', '198.51.100.1', ['203.0.113.8'], '198.51.100.1'],
    ['from a peer in a trusted block', '10.0.0.1', '198.51.100.1', TEN, '198.51.100.1'],
    ['from a peer in a trusted IPv6 block', '2001:db8::9', '198.51.100.1', ['2001:db8::/32'], '198.51.100.1'],
    ['from a peer outside of a trusted IPv6 block', '2001:db9::9', '198.51.100.1', ['2001:db8::/32'], '2001:db9::/64'],
    ['with entries that the caller invented', '10.0.0.1', '192.0.2.1, 127.0.0.1, 198.51.100.1', TEN, '198.51.100.1'],
    ['with entries that a caller of another private network invented', '10.0.0.1', '192.0.2.1, 192.168.0.7', TEN, '192.168.0.7'],
    ['through two trusted hops', '10.0.0.1', '192.0.2.1, 198.51.100.1, 10.9.9.9', TEN, '198.51.100.1'],
    ['where a trusted hop stands behind one that is not', '10.0.0.1', '10.1.1.1, 198.51.100.1', TEN, '198.51.100.1'],
    ['with trusted hops only', '10.0.0.1', '10.1.1.1, 10.2.2.2', TEN, '10.1.1.1'],
    ['with an entry that is no address', '10.0.0.1', 'unknown, drop table', TEN, '10.0.0.1'],
    ['that is empty', '10.0.0.1', ' , ,', TEN, '10.0.0.1'],
    ['with an IPv6 caller', '127.0.0.1', '2001:db8:1:2::9', ['loopback'], '2001:db8:1:2::/64'],
    ['from a trusted IPv4 peer on an IPv6 socket', '::ffff:10.0.0.1', '198.51.100.1', TEN, '198.51.100.1'],
    ['from IPv6 loopback', '::1', '198.51.100.1', ['loopback'], '198.51.100.1'],
    ['with a port', '10.0.0.1', '203.0.113.7:51234', TEN, '203.0.113.7'],
    ['with a port at a trusted hop', '10.0.0.1', '203.0.113.7:51234, 10.0.0.2:80', TEN, '203.0.113.7'],
    ['with IPv6 and a port', '10.0.0.1', '[2001:db8::1]:443', TEN, '2001:db8::/64'],
    ['with IPv6 in brackets', '10.0.0.1', '[2001:db8::1]', TEN, '2001:db8::/64'],
    ['with IPv6 that ends like a port', '10.0.0.1', '2001:db8:1:2:3:4:5:443', TEN, '2001:db8:1:2::/64'],
    ['with a zone', '10.0.0.1', '[fe80::1%eth-0.100]:443', TEN, 'fe80::/64'],
    ['with a port that is none', '10.0.0.1', '203.0.113.7:http', TEN, '10.0.0.1'],
    ['with IPv4 in brackets', '10.0.0.1', '[203.0.113.7]:80', TEN, '10.0.0.1'],
    ['with an IPv4 address of three parts', '10.0.0.1', '203.0.113', TEN, '10.0.0.1'],
    ['with an IPv4 address in octal', '10.0.0.1', '0313.0.113.7', TEN, '10.0.0.1'],
  ])('%s', async (_case, peer, forwarded, trusted, expected) => {
    expect(await appBehind(addresses(...trusted)).countedAs(peer, forwarded)).toBe(expected)
  })
})

describe('X-Forwarded-For, where proxies are counted', () => {
  it.each([
    ['through one', 1, '198.51.100.1', '198.51.100.1'],
    ['through one, with an entry that the caller invented', 1, '192.0.2.1, 198.51.100.1', '198.51.100.1'],
    ['through one, from a caller with a private address', 1, '192.0.2.1, 10.1.2.3', '10.1.2.3'],
    ['through three', 3, '198.51.100.1, 10.0.0.2, 10.0.0.3', '198.51.100.1'],
    ['through three, with entries that the caller invented', 3, '10.6.6.6, 127.0.0.1, 198.51.100.1, 10.0.0.2, 10.0.0.3', '198.51.100.1'],
    ['through three, with ports', 3, '198.51.100.1:1, [2001:db8::2]:2, 10.0.0.3:3', '198.51.100.1'],
    ['through fewer than there are', 3, '198.51.100.1, 10.0.0.2', '198.51.100.1'],
    ['with an entry that is no address', 2, 'unknown, 198.51.100.1', '198.51.100.1'],
    ['that is not there', 2, undefined, '127.0.0.1'],
  ])('%s', async (_case, count, forwarded, expected) => {
    expect(await appBehind(hops(count)).countedAs('127.0.0.1', forwarded)).toBe(expected)
  })

  it('logs once when there are fewer proxies than counted, because callers could then invent the missing entries', async () => {
    const { countedAs, lines } = appBehind(hops(3))
    await countedAs('127.0.0.1', '198.51.100.1, 10.0.0.2, 10.0.0.3')
    expect(lines).toEqual([])
    for (let count = 0; count < 3; count++) await countedAs('127.0.0.1', '10.0.0.2, 10.0.0.3')
    expect(lines).toEqual([{ level: 'warn', message: 'fewer proxies than TRUSTED_PROXIES counts', fields: { counted: 3, seen: 2 } }])
  })
})
