// node functions/_build/code-cache.ts <folder of a bundle> <first call as JSON>: runs a built function, sends it that call, and keeps V8's code cache
// of all that ran for it beside the bundle. A process of its own, because it is the function.
import { writeFileSync } from 'node:fs'
import http from 'node:http'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import type { Script } from 'node:vm'
import type { FirstCall } from './first-calls.ts'

const [folder = '', call = ''] = process.argv.slice(2)
const { path: target, init }: FirstCall = JSON.parse(call)

let port = 0
process.stdout.write = (line) => {
  port ||= Number(/"port":(\d+)/.exec(String(line))?.[1] ?? 0)
  return true
}
const { script }: { script: Script } = await import(pathToFileURL(path.join(folder, 'main.js')).href)
while (port === 0) await sleep(10)
for (const [place, options] of [
  ['/health/ready', {}],
  [target, init],
] as const) {
  const status = await send(place, options)
  if (status !== 200) throw new Error(`${folder}: ${place} answered ${status}`)
}
writeFileSync(path.join(folder, 'bundle.cache'), script.createCachedData())
process.exit(0)

/** Not by `fetch`, whose own code has no place in the cache. Answers the status. */
function send(place: string, { body, ...options }: Partial<FirstCall['init']>): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', port, path: place, agent: false, ...options }, (response) => {
      response.resume().on('end', () => resolve(response.statusCode ?? 0))
    })
    request.on('error', reject).end(body)
  })
}
