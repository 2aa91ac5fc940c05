// The public keys of a token issuer (RFC 7517), fetched by HTTP and kept. Nothing that the issuer or a caller does makes this fetch often,
// read much or wait long, and keys that are known outlive an outage of the issuer.
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import { AppError } from '../core/errors.ts'

const SECOND = 1_000
const HOUR = 3_600 * SECOND

const LIMITS = {
  /** A fetch takes no longer, its body included. */
  fetchMs: 3 * SECOND,
  /** Of the body; a key has some 150. */
  bytes: 64 * 1024,
  /** Keys are fetched again after that: a withdrawn key is good for no longer. */
  freshMs: 600 * SECOND,
  /** Between two fetches, however many tokens name a key that is not known. */
  cooldownMs: 30 * SECOND,
  /** The same after a fetch that failed. */
  retryMs: 5 * SECOND,
  /** Keys that cannot be fetched again are used until then, because a failure says nothing of them. */
  staleMs: 24 * HOUR,
}

/**
 * Finds the key that a token's header names. It throws AppError `unavailable` while the keys cannot be fetched and none that is known fits,
 * and jose's `JWKSNoMatchingKey` when the issuer has no such key. `report` gets the first failure of each outage.
 */
export function createRemoteKeys(url: string, clock: () => Date, report: (error: unknown) => void): JWTVerifyGetKey {
  let known: { find: JWTVerifyGetKey; fetchedAt: number } | undefined
  let failure: unknown
  let nextFetch = 0
  let pending: Promise<void> | undefined
  const now = () => clock().getTime()
  const age = () => (known ? now() - known.fetchedAt : Number.POSITIVE_INFINITY)

  async function tryToFetch(): Promise<void> {
    try {
      known = { find: createLocalJWKSet(await fetchKeys(url)), fetchedAt: now() }
      failure = undefined
    } catch (error) {
      if (failure === undefined) report(error)
      failure = error
    }
    nextFetch = now() + (failure === undefined ? LIMITS.cooldownMs : LIMITS.retryMs)
  }

  /** Never rejects. Nothing to wait for during the cool-down. */
  function refresh(): Promise<void> | undefined {
    if (!pending && now() >= nextFetch) {
      pending = tryToFetch().finally(() => {
        pending = undefined
      })
    }
    return pending
  }

  return async (header, token) => {
    if (age() >= LIMITS.freshMs) {
      const refreshed = refresh()
      // An issuer that has just failed may hang: tokens with known keys do not wait for it again.
      if (failure === undefined || age() >= LIMITS.staleMs) await refreshed
    }
    if (!known || age() >= LIMITS.staleMs) throw unavailable(failure)
    try {
      return await known.find(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
    }
    await refresh()
    if (failure !== undefined) throw unavailable(failure)
    return known.find(header, token)
  }
}

/** @throws Error when the answer is anything but 200 with JSON within the limits; a redirect is not followed */
async function fetchKeys(url: string): Promise<JSONWebKeySet> {
  const response = await fetch(url, {
    redirect: 'manual',
    headers: { accept: 'application/jwk-set+json, application/json' },
    signal: AbortSignal.timeout(LIMITS.fetchMs),
  })
  if (response.status !== 200 || !response.body) {
    await response.body?.cancel()
    throw new Error(`The keys were answered with the status ${response.status}.`)
  }
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body) {
    size += chunk.byteLength
    if (size > LIMITS.bytes) throw new Error(`The keys have more than ${LIMITS.bytes} bytes.`)
    chunks.push(chunk)
  }
  // `createLocalJWKSet` checks the form.
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as JSONWebKeySet
}

const unavailable = (cause: unknown) =>
  new AppError('unavailable', "The token issuer's keys cannot be fetched at the moment. Please try again.", { retryAfter: 5, cause })
