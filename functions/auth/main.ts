// The image's entry.
import { createDeps } from '../../shared/runtime/deps.ts'
import { main } from '../../shared/runtime/serve.ts'
import { authApp } from './app.ts'
import { createAuthDeps } from './deps.ts'

void main(process.env, (env) => {
  const deps = createAuthDeps(env, createDeps(env))
  return { deps, app: authApp(deps) }
})
