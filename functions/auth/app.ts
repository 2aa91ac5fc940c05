// The HTTP routes of registration, login and token validation.

import { type AccountContext, Login, loginUser, Register, registerUser, validateToken } from '../../shared/accounts/users.ts'
import { createApp } from '../../shared/http/app.ts'
import { signedIn } from '../../shared/http/authenticate.ts'
import type { ClientAddress } from '../../shared/http/client-address.ts'
import type { AppDeps } from '../../shared/http/types.ts'
import { body } from '../../shared/http/validate.ts'
import type { VerifyToken } from '../../shared/identity/issuers.ts'
import { serves } from '../../shared/openapi/route.ts'
import type { Throttle } from './throttle.ts'

export type AuthDeps = AppDeps &
  Pick<AccountContext, 'passwords' | 'issueToken'> & { verifyToken: VerifyToken; throttle: Throttle; clientAddress: ClientAddress }
export type AuthApp = ReturnType<typeof authApp>

export function authApp(deps: AuthDeps) {
  const { throttle, clientAddress } = deps
  return createApp({ name: 'auth', about: 'Registration, login and token validation.' }, deps)
    .post('/api/v1/users/register', serves(registerUser, { status: 201 }), body(Register), async (c) => {
      await throttle.register({ address: clientAddress(c) })
      return c.json(await registerUser(deps, c.req.valid('json')), 201)
    })
    .post('/api/v1/users/login', serves(loginUser), body(Login), async (c) => {
      const input = c.req.valid('json')
      return c.json(await throttle.login({ address: clientAddress(c), email: input.email }, () => loginUser(deps, input)))
    })
    .get('/api/v1/validate-token', serves(validateToken), signedIn(deps), async (c) => c.json(await validateToken(c.var.ctx, {})))
}
