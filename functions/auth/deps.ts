// What only this function needs: it alone hashes passwords, signs tokens and counts attempts.
import type { Deps } from '../../shared/deps.ts'
import { type Env, ownIssuer } from '../../shared/env.ts'
import { makeClientAddress } from '../../shared/http/client-address.ts'
import { makePasswords } from '../../shared/identity/passwords.ts'
import { makeThrottle } from '../../shared/identity/throttle.ts'
import { makeTokenIssuer } from '../../shared/identity/tokens.ts'
import type { AuthDeps } from './app.ts'

/** @throws EnvError */
export function makeAuthDeps(env: Env, deps: Deps): AuthDeps {
  return {
    ...deps,
    passwords: makePasswords(),
    issueToken: makeTokenIssuer(ownIssuer(env), deps.clock),
    throttle: makeThrottle(deps.db, deps.clock),
    clientAddress: makeClientAddress(env.TRUSTED_PROXIES),
  }
}
