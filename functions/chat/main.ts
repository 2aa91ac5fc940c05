// The image's entry.
import { makeDeps } from '../../shared/deps.ts'
import { main } from '../../shared/http/serve.ts'
import { chatApp } from './app.ts'
import { makeChatDeps } from './deps.ts'

await main(process.env, (env) => {
  const deps = makeChatDeps(env, makeDeps(env))
  return { deps, app: chatApp(deps) }
})
