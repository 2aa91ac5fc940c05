// The image's entry.
import { createDeps } from '../../shared/runtime/deps.ts'
import { main } from '../../shared/runtime/serve.ts'
import { mcpApp } from './app.ts'
import { createMcpDeps } from './deps.ts'

void main(process.env, (env) => {
  const deps = createMcpDeps(env, createDeps(env))
  return { deps, app: mcpApp(deps), sockets: deps.sockets }
})
