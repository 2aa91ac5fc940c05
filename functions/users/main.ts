// The image's entry.
import { createDeps } from '../../shared/runtime/deps.ts'
import { main } from '../../shared/runtime/serve.ts'
import { usersApp } from './app.ts'

void main(process.env, (env) => {
  const deps = createDeps(env)
  return { deps, app: usersApp(deps) }
})
