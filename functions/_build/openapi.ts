// The API description of all functions together, as `npm start` serves it. Needs neither a database nor the network.
import { createDeps } from '../../shared/runtime/deps.ts'
import { readEnv } from '../../shared/runtime/env.ts'
import { localApp } from '../local/main.ts'

/** The OpenAPI document as JSON text. */
export async function openApiText(): Promise<string> {
  // The database is never queried and the secret signs nothing.
  const env = readEnv({ DATABASE_URL: 'postgresql://localhost/none', BETTER_AUTH_SECRET: 'no token is signed while the API is described' })
  const deps = createDeps(env, () => {})
  const response = await localApp(env, deps).app.request('/openapi.json')
  return response.text()
}
