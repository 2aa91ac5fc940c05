// A real Better Auth server on loopback, as a web frontend runs one: users sign up there and use its tokens here.
import { createServer } from 'node:http'
import { betterAuth } from 'better-auth'
import { memoryAdapter } from 'better-auth/adapters/memory'
import { toNodeHandler } from 'better-auth/node'
import { jwt } from 'better-auth/plugins'
import { z } from 'zod'
import { listen } from '../../shared/testing/http-server.ts'

const SignedUp = z.object({ user: z.object({ id: z.string() }) })
const Issued = z.object({ token: z.string() })

export type BetterAuthServer = {
  /** Its `iss` and its `aud`. */
  url: string
  jwksUrl: string
  /** Signs a user up. `token` is the JWT for other services, `cookieCache` the JWT in the server's own cookie. */
  signUp(user: { name: string; email: string }): Promise<{ id: string; token: string; cookieCache: string }>
  stop(): Promise<void>
}

/** `cookieKeys`: whether cookie caches are signed with the raw secret, or with the keys that it publishes. */
export async function startBetterAuth(secret: string, cookieKeys: 'secret' | 'published'): Promise<BetterAuthServer> {
  const server = createServer()
  const { url, stop } = await listen(server)
  const auth = betterAuth({
    baseURL: url,
    secret,
    database: memoryAdapter({ user: [], session: [], account: [], verification: [], jwks: [] }),
    emailAndPassword: { enabled: true },
    session: { cookieCache: { enabled: true, strategy: 'jwt', maxAge: 300 } },
    rateLimit: { enabled: false },
    telemetry: { enabled: false },
    logger: { disabled: true },
    plugins: [jwt({ sessionCookieCache: cookieKeys === 'published' })],
  })
  server.on('request', toNodeHandler(auth))

  return {
    url,
    jwksUrl: `${url}/api/auth/jwks`,
    async signUp({ name, email }) {
      const signedUp = await fetch(`${url}/api/auth/sign-up/email`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', origin: url },
        body: JSON.stringify({ name, email, password: 'correct horse battery' }),
      })
      if (!signedUp.ok) throw new Error(`signing up failed: ${signedUp.status} ${await signedUp.text()}`)
      const { user } = SignedUp.parse(await signedUp.json())
      const cookies = signedUp.headers.getSetCookie().map((cookie) => cookie.split(';')[0] ?? '')
      const issued = await fetch(`${url}/api/auth/token`, { headers: { cookie: cookies.join('; ') } })
      const { token } = Issued.parse(await issued.json())
      const cookieCache = cookies.find((cookie) => cookie.startsWith('better-auth.session_data='))?.split('=')[1]
      if (!cookieCache) throw new Error(`no cookie cache among ${cookies.length} cookies`)
      return { id: user.id, token, cookieCache: decodeURIComponent(cookieCache) }
    },
    stop,
  }
}
