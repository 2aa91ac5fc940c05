// The dependencies of auth alone: only it hashes passwords, signs tokens and counts attempts.

import { createClientAddress } from '../../shared/http/client-address.ts'
import { createTokenIssuer, signingSecret } from '../../shared/identity/tokens.ts'
import type { Deps } from '../../shared/runtime/deps.ts'
import { type Env, ownIssuer } from '../../shared/runtime/env.ts'
import type { AuthDeps } from './app.ts'
import { createPasswords } from './passwords.ts'
import { createThrottle } from './throttle.ts'

/** @throws EnvError */
export function createAuthDeps(env: Env, deps: Deps): AuthDeps & Deps {
  const issuer = ownIssuer(env)
  return {
    ...deps,
    passwords: createPasswords(),
    issueToken: createTokenIssuer(issuer, deps.clock),
    throttle: createThrottle(deps.db, deps.clock, signingSecret(issuer.keys)),
    clientAddress: createClientAddress(env.TRUSTED_PROXIES, deps.log),
  }
}
