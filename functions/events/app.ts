// The sweep that a PingSource calls once a minute, and the description of all events of the API.
import { createApp } from '../../shared/http/app.ts'
import { serves } from '../../shared/openapi/route.ts'
import type { ProcessDeps } from '../../shared/runtime/deps.ts'
import { todoEvents } from '../../shared/todos/events.ts'
import { Swept, sweep } from './sweep.ts'
import { tick } from './tick.ts'

const operation = {
  name: 'sweep',
  summary: 'Deliver pending events (called by a PingSource).',
  description: 'Takes a CloudEvent of the type `dev.knative.sources.ping`, in binary or structured mode.',
  output: Swept,
}

export function eventsApp(deps: ProcessDeps) {
  const about = 'Events about todos, and the sweep that delivers pending ones.'
  return createApp({ name: 'events', about, maxBody: 64 * 1024, events: todoEvents }, deps).post(
    '/',
    serves(operation),
    tick(),
    async (c) => c.json(await sweep(deps)),
  )
}
