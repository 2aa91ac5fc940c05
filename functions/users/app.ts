// The HTTP routes of the caller's own account.

import { getProfile } from '../../shared/accounts/users.ts'
import { createApp } from '../../shared/http/app.ts'
import { signedIn } from '../../shared/http/authenticate.ts'
import type { AppDeps } from '../../shared/http/types.ts'
import type { VerifyToken } from '../../shared/identity/issuers.ts'
import { serves } from '../../shared/openapi/route.ts'

export type UsersDeps = AppDeps & { verifyToken: VerifyToken }
export type UsersApp = ReturnType<typeof usersApp>

export function usersApp(deps: UsersDeps) {
  return createApp({ name: 'users', about: "The caller's own account." }, deps).get(
    '/api/v1/me',
    serves(getProfile),
    signedIn(deps),
    async (c) => c.json(await getProfile(c.var.ctx, {})),
  )
}
