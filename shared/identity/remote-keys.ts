// A token issuer's public keys (RFC 7517), fetched by HTTP and cached. Neither the issuer nor a caller can make it fetch often, read much
// or wait long, and cached keys survive an outage of the issuer.
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import { AppError } from '../core/errors.ts'

const SECOND = 1_000
const HOUR = 3_600 * SECOND

const LIMITS = {
  /** The timeout of a fetch, its body included. */
  fetchMs: 3 * SECOND,
  /** The longest body; a key has about 150 bytes. */
  bytes: 64 * 1024,
  /** The age at which keys are fetched again. A withdrawn key is accepted until then. */
  freshMs: 600 * SECOND,
  /** The shortest time between two fetches, however many tokens have an unknown `kid`. */
  cooldownMs: 30 * SECOND,
  /** The same after a failed fetch. */
  retryMs: 5 * SECOND,
  /** The age at which cached keys are discarded while fetches fail. */
  staleMs: 24 * HOUR,
}

/**
 * Creates a lookup of the key that a token's header names. It throws AppError `unavailable` when the keys cannot be fetched and no cached
 * key matches, and jose's `JWKSNoMatchingKey` when the issuer has no such key. `report` gets the first failure of each outage.
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

  /** Never rejects. Undefined during the cool-down. */
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
      // A failing issuer may hang, so tokens with cached keys do not wait for it again.
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
