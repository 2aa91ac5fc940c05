// The image's entry.
import { makeDeps } from '../../shared/runtime/deps.ts'
import { main } from '../../shared/runtime/serve.ts'
import { authApp } from './app.ts'
import { createAuthDeps } from './deps.ts'

void main(process.env, (env) => {
  const deps = createAuthDeps(env, makeDeps(env))
  return { deps, app: authApp(deps) }
})
