// What only this function needs: it alone hashes passwords, signs tokens and counts attempts.
import type { Deps } from '../../shared/deps.ts'
import { type Env, ownIssuer } from '../../shared/env.ts'
import { makeClientAddress } from '../../shared/http/client-address.ts'
import { makePasswords } from '../../shared/identity/passwords.ts'
import { makeThrottle } from '../../shared/identity/throttle.ts'
import { makeTokenIssuer, signingSecret } from '../../shared/identity/tokens.ts'
import type { AuthDeps } from './app.ts'

/** @throws EnvError */
export function makeAuthDeps(env: Env, deps: Deps): AuthDeps {
  const issuer = ownIssuer(env)
  return {
    ...deps,
    passwords: makePasswords(),
    issueToken: makeTokenIssuer(issuer, deps.clock),
    throttle: makeThrottle(deps.db, deps.clock, signingSecret(issuer.keys)),
    clientAddress: makeClientAddress(env.TRUSTED_PROXIES),
  }
}
