// The image's entry.
import { makeDeps } from '../../shared/deps.ts'
import { main } from '../../shared/http/serve.ts'
import { usersApp } from './app.ts'

void main(process.env, (env) => {
  const deps = makeDeps(env)
  return { deps, app: usersApp(deps) }
})
