import { SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { createTokenIssuer } from '../../shared/identity/tokens.ts'
import { createConfirmations } from './confirmations.ts'

const keys = { current: '1', secrets: new Map([['1', Buffer.from('x'.repeat(32))]]) }
let now = new Date('2027-01-13T10:00:00Z')
const confirmations = createConfirmations(keys, () => now)
const calls = [{ name: 'delete_task', arguments: { todo_id: 'a', note: { y: 1, x: 2 } } }]
const subject = { userId: 'ada', calls }

describe('a confirmation', () => {
  it('accepts a confirmation for the same calls with their arguments in any order', async () => {
    const token = await confirmations.issue(subject)
    expect(await confirmations.confirms(token, subject)).toBe(true)
    const reordered = [{ name: 'delete_task', arguments: { note: { x: 2, y: 1 }, todo_id: 'a' } }]
    expect(await confirmations.confirms(token, { userId: 'ada', calls: reordered })).toBe(true)
  })

  it.each([
    ['another user', { userId: 'eve', calls }],
    ['another tool', { userId: 'ada', calls: [{ ...calls[0], name: 'complete_task', arguments: {} }] }],
    ['other arguments', { userId: 'ada', calls: [{ name: 'delete_task', arguments: { todo_id: 'b' } }] }],
    ['more calls', { userId: 'ada', calls: [...calls, ...calls] }],
  ])('is not good for %s', async (_, other) => {
    expect(await confirmations.confirms(await confirmations.issue(subject), other)).toBe(false)
  })

  it('rejects a confirmation after ten minutes', async () => {
    const token = await confirmations.issue(subject)
    now = new Date('2027-01-13T10:09:59Z')
    expect(await confirmations.confirms(token, subject)).toBe(true)
    now = new Date('2027-01-13T10:10:01Z')
    expect(await confirmations.confirms(token, subject)).toBe(false)
    now = new Date('2027-01-13T10:00:00Z')
  })

  it('rejects an access token, garbage, a foreign signature and an unsigned token as confirmation', async () => {
    const issue = createTokenIssuer({ keys, issuer: 'i', audience: 'a', lifetime: 600 }, () => now)
    const { token: access } = await issue({ id: 'ada', email: 'ada@example.com' })
    const foreign = await createConfirmations({ current: '1', secrets: new Map([['1', Buffer.from('y'.repeat(32))]]) }, () => now).issue(
      subject,
    )
    const [, payload] = (await confirmations.issue(subject)).split('.')
    const unsigned = `${Buffer.from('{"alg":"none","typ":"confirmation+jwt","kid":"1"}').toString('base64url')}.${payload}.`
    const endless = await new SignJWT({})
      .setProtectedHeader({ alg: 'HS256', typ: 'confirmation+jwt', kid: '1' })
      .setSubject('ada')
      .sign(Buffer.from('x'.repeat(32)))
    for (const token of [access, foreign, unsigned, endless, 'yes', '']) expect(await confirmations.confirms(token, subject)).toBe(false)
  })
})
