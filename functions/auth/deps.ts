// What only this function needs: it alone hashes passwords, signs tokens and counts attempts.

import { createClientAddress } from '../../shared/http/client-address.ts'
import { createTokenIssuer, signingSecret } from '../../shared/identity/tokens.ts'
import type { Deps } from '../../shared/runtime/deps.ts'
import { type Env, ownIssuer } from '../../shared/runtime/env.ts'
import type { AuthDeps } from './app.ts'
import { makePasswords } from './passwords.ts'
import { makeThrottle } from './throttle.ts'

/** @throws EnvError */
export function makeAuthDeps(env: Env, deps: Deps): AuthDeps & Deps {
  const issuer = ownIssuer(env)
  return {
    ...deps,
    passwords: makePasswords(),
    issueToken: createTokenIssuer(issuer, deps.clock),
    throttle: makeThrottle(deps.db, deps.clock, signingSecret(issuer.keys)),
    clientAddress: createClientAddress(env.TRUSTED_PROXIES, deps.log),
  }
}
