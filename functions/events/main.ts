// The image's entry.
import { createAppDeps } from '../../shared/runtime/deps.ts'
import { main } from '../../shared/runtime/serve.ts'
import { eventsApp } from './app.ts'
import { sweepLimits } from './sweep.ts'

void main(process.env, (env) => {
  const deps = createAppDeps(env)
  // A sweep may take its whole time; the rest is for deliveries in flight at its end.
  return { deps, app: eventsApp(deps), drain: sweepLimits.timeMs + 15_000 }
})
