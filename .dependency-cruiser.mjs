// Who may import whom (shared/README.md has the picture). Type imports count, and so do tests unless a rule says otherwise.
// A `testing.ts` holds what the tests beside it share; a check runs images, so it starts processes and callers as tests do.
const TEST = '(\\.test\\.ts$|(^|/)testing\\.ts$|^shared/testing/|^functions/(_(e2e|bench)|_build/checks)/)'
const PORT = '^prisma/(?!generated)'

/** A layer and the folders and packages that it may import; anything else is an error. */
const layer = (name, from, allowed) => ({
  name,
  severity: 'error',
  from: { path: from, pathNot: TEST },
  to: { path: '^(functions|shared|prisma|knative|node_modules)/', pathNot: [from, ...allowed] },
})
const packages = (...names) => `^node_modules/(@types/)?(${names.join('|')})/`

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'no-circular',
      comment: 'Types count: a circle of types is two modules that are one.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    layer('prisma-stands-alone', '^prisma/', ['^node_modules/']),
    layer('core-is-the-lowest', '^shared/core/', [PORT, packages('zod', 'uuid')]),
    layer('events-know-no-face', '^shared/events/', ['^shared/core/', PORT, packages('zod', 'uuid', 'cloudevents')]),
    layer('entities-know-no-face', '^shared/(todos|accounts|conversations)/', [
      '^shared/(core|events|accounts)/',
      PORT,
      packages('zod', 'uuid'),
    ]),
    layer('identity-knows-no-http', '^shared/identity/', ['^shared/core/', PORT, packages('zod', 'jose')]),
    layer('openapi-describes', '^shared/openapi/', ['^shared/(core|events)/', packages('zod', 'hono')]),
    layer('http-knows-no-domain', '^shared/http/', [
      '^shared/(core|openapi|identity)/',
      PORT,
      packages('zod', 'hono', '@hono', 'ipaddr\\.js'),
    ]),
    layer('runtime-serves', '^shared/runtime/', [
      '^shared/(core|http|openapi|identity|events)/',
      PORT,
      packages('zod', 'hono', '@hono', '@opentelemetry'),
    ]),
    { name: 'shared-knows-no-function', severity: 'error', from: { path: '^shared/' }, to: { path: '^functions/' } },
    {
      name: 'no-function-knows-another',
      severity: 'error',
      from: { path: '^functions/([a-z][^/]*)/', pathNot: '^functions/local/' },
      to: { path: '^functions/', pathNot: '^functions/$1/' },
    },
    {
      name: 'production-knows-no-test',
      severity: 'error',
      from: { pathNot: [TEST, '^vitest\\.config'] },
      to: { path: TEST },
    },
    {
      name: 'nothing-imports-tools',
      severity: 'error',
      from: { pathNot: '^(functions/_(build|bench|e2e)|knative)/' },
      to: { path: '^(functions/_build|knative/tools)/' },
    },
    {
      name: 'imports-resolve',
      comment: 'An import that cannot be resolved would escape every rule above.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-orphans',
      comment: 'A module that nothing imports and that nothing starts.',
      severity: 'error',
      from: { orphan: true, pathNot: ['(^|/)main\\.ts$', '\\.test\\.ts$', '\\.config\\.', '\\.mjs$', '\\.d\\.ts$'] },
      to: {},
    },
  ],
  options: {
    // TypeScript 7 has no JavaScript API. swc sees type imports without `tsPreCompilationDeps`, which would ask for an older TypeScript.
    parser: 'swc',
    doNotFollow: { path: ['node_modules', 'prisma/generated'] },
    exclude: { path: ['prisma/generated', 'knative/files'] },
    enhancedResolveOptions: {
      extensions: ['.ts', '.mjs', '.js'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types', 'default'],
    },
  },
}
