// The image's entry.
import { makeDeps } from '../../shared/runtime/deps.ts'
import { main } from '../../shared/runtime/serve.ts'
import { todosApp } from './app.ts'

void main(process.env, (env) => {
  const deps = makeDeps(env)
  return { deps, app: todosApp(deps) }
})
