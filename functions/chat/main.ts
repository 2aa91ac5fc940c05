// The image's entry.
import { createDeps } from '../../shared/runtime/deps.ts'
import { main } from '../../shared/runtime/serve.ts'
import { chatApp } from './app.ts'
import { createChatDeps } from './deps.ts'
import { chatLimits } from './limits.ts'

void main(process.env, (env) => {
  const deps = createChatDeps(env, createDeps(env))
  // An answer that a model is at may take its whole time; a moment more for what is written down at its end.
  return { deps, app: chatApp(deps), drain: chatLimits.timeMs + 10_000 }
})
