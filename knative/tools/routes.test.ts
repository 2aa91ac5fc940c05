// Compares routes.yaml, the paths behind one host, with the functions' routes: each path must reach the function that has it.
import fs from 'node:fs'
import path from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { createApps } from '../../functions/local/apps.ts'
import { describedRoutes } from '../../shared/openapi/openapi.ts'
import { testDeps } from '../../shared/testing/context.ts'

const { deps, env } = testDeps()
afterAll(() => deps.db.close())

// The events function has no path on the one host.
const { events: _, ...apps } = createApps(env, deps).apps
/** Paths that each function serves only at its own host. */
const OWN = /^\/(health\/|openapi\.json$)/

const Paths = z.strictObject({ exact: z.array(z.string()).default([]), prefix: z.array(z.string()).default([]) })
const routes = z.record(z.string(), Paths).parse(parse(fs.readFileSync(path.join(import.meta.dirname, '..', 'routes.yaml'), 'utf8')))

/** Gateway API's precedence: an exact path first, then the longest prefix. */
function functionFor(url: string): string | undefined {
  const entries = Object.entries(routes)
  const exact = entries.find(([, paths]) => paths.exact.includes(url))
  if (exact) return exact[0]
  const prefixes = entries.flatMap(([name, paths]) => paths.prefix.map((prefix) => ({ name, prefix })))
  return prefixes.filter(({ prefix }) => url.startsWith(prefix)).toSorted((a, b) => b.prefix.length - a.prefix.length)[0]?.name
}

/** The path of a request: ids in place of the parameters. */
const example = (route: string) => route.replaceAll(/:(\w+)/g, '019e1c69-02aa-7f7e-8d55-61c0f3b7d9e4')

describe('routes.yaml', () => {
  const owned = Object.entries(apps).flatMap(([name, app]) => describedRoutes(app).map(({ path: route }) => ({ name, route })))

  it.each(owned.filter(({ route }) => !OWN.test(route)))('sends $route to $name', ({ name, route }) => {
    expect(functionFor(example(route))).toBe(name)
  })

  it('sends /me to users and /me/todos to todos', () => {
    expect(functionFor('/api/v1/me')).toBe('users')
    expect(functionFor('/api/v1/me/todos')).toBe('todos')
  })

  it('names only functions and paths that exist', () => {
    expect(Object.keys(routes).toSorted()).toEqual(Object.keys(apps).toSorted())
    for (const [name, { exact }] of Object.entries(routes)) {
      for (const url of exact) expect(owned).toContainEqual({ name, route: url })
    }
  })

  it('exposes neither the health and description of a function nor the function events', () => {
    for (const url of ['/', '/health/ready', '/openapi.json', '/metrics']) expect(functionFor(url)).toBeUndefined()
  })
})
