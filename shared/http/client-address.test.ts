import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { makeClientAddress } from './client-address.ts'

/** Whom a request from `peer` counts as. */
async function countedAs(peer: string, forwarded?: string, trusted: string[] = []) {
  const clientAddress = makeClientAddress(trusted)
  const app = new Hono().get('/', (c) => c.text(clientAddress(c)))
  const socket = { remoteAddress: peer, remotePort: 50_000, remoteFamily: peer.includes(':') ? 'IPv6' : 'IPv4' }
  const headers: Record<string, string> = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }
  return (await app.request('/', { headers }, { incoming: { socket } })).text()
}

describe('the address that a caller counts as', () => {
  it.each([
    ['its own', '203.0.113.7', '203.0.113.7'],
    ['IPv4 in IPv6 as the IPv4 that it is', '::ffff:203.0.113.7', '203.0.113.7'],
    ['the same in hexadecimal', '::ffff:cb00:7107', '203.0.113.7'],
    ['IPv6 by its /64', '2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['however it is written', '2001:0DB8:0001:0002::6', '2001:db8:1:2::/64'],
    ['with zeros left out in front', '::1', '0:0:0:0::/64'],
    ['with zeros left out inside', '2001:db8::1', '2001:db8:0:0::/64'],
    ['and without its zone', 'fe80::1%eth0', 'fe80:0:0:0::/64'],
  ])('is %s', async (_case, peer, expected) => {
    expect(await countedAs(peer)).toBe(expected)
  })

  it('differs between two /64', async () => {
    expect(await countedAs('2001:db8:1:2::1')).not.toBe(await countedAs('2001:db8:1:3::1'))
  })
})

describe('X-Forwarded-For', () => {
  it.each([
    ['from nobody that is trusted', '203.0.113.7', '198.51.100.1', [], '203.0.113.7'],
    ['from a peer that is not the trusted one', '203.0.113.7', '198.51.100.1', ['203.0.113.8'], '203.0.113.7'],
    ['from a trusted peer', '10.0.0.1', '198.51.100.1', ['10.0.0.0/8'], '198.51.100.1'],
    ['with entries that the caller invented', '10.0.0.1', '192.0.2.1, 127.0.0.1, 198.51.100.1', ['10.0.0.0/8'], '198.51.100.1'],
    ['through two trusted hops', '10.0.0.1', '192.0.2.1, 198.51.100.1, 10.9.9.9', ['10.0.0.0/8'], '198.51.100.1'],
    ['where a trusted hop stands behind one that is not', '10.0.0.1', '10.1.1.1, 198.51.100.1', ['10.0.0.0/8'], '198.51.100.1'],
    ['with trusted hops only', '10.0.0.1', '10.1.1.1, 10.2.2.2', ['10.0.0.0/8'], '10.1.1.1'],
    ['with what is no address', '10.0.0.1', 'unknown, drop table', ['10.0.0.0/8'], '10.0.0.1'],
    ['that is empty', '10.0.0.1', ' , ,', ['10.0.0.0/8'], '10.0.0.1'],
    ['with an IPv6 caller', '127.0.0.1', '2001:db8:1:2::9', ['loopback'], '2001:db8:1:2::/64'],
    ['from a trusted IPv4 peer on an IPv6 socket', '::ffff:10.0.0.1', '198.51.100.1', ['10.0.0.0/8'], '198.51.100.1'],
    ['by names', '192.168.0.3', '198.51.100.1', ['loopback', 'linklocal', 'uniquelocal'], '198.51.100.1'],
  ])('%s', async (_case, peer, forwarded, trusted, expected) => {
    expect(await countedAs(peer, forwarded, trusted)).toBe(expected)
  })
})
