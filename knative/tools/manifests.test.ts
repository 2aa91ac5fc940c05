// Checks the service files and the rendered chart, and proves each check with a manifest that breaks it.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { DISCREET_LOG } from '@todo/prisma/embedded'
import { afterAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { todoEvents } from '../../shared/todos/events.ts'
import { helmRuns, lintChart, render, VARIANTS } from './chart.ts'
import { connectionsNeeded } from './connections.ts'
import { readDefinitions } from './crds.ts'
import { lintService } from './lint.ts'
import { Manifest, modelProblems } from './models.ts'
import { promqlProblem } from './promql.ts'
import { missingReferences } from './references.ts'
import { KnativeService } from './service.ts'
import { serviceFiles } from './services.ts'
import { broken, VALID } from './testing.ts'
import { chartProblems, isFunction, manifestProblems, plainProblems, plainServices } from './verify.ts'

const helm = process.env.HELM || 'helm'
const hasHelm = helmRuns(helm)
if (!hasHelm) process.stderr.write('SKIPPED: the chart is not rendered: found no helm on the PATH or in HELM\n')

const SERVICES = path.join(import.meta.dirname, '..', 'services')
const read = (file: string) => fs.readFileSync(path.join(import.meta.dirname, '..', file), 'utf8')
const manifest = (text: string) => Manifest.parse(parse(text))

/** CPU requests in millicores: of the queue-proxy in each pod, and of Kubernetes and Knative themselves on one node. */
const QUEUE_PROXY = 25
const PLATFORM_REQUESTS = 1_000
const millicores = (quantity: string | number) =>
  String(quantity).endsWith('m') ? Number.parseFloat(String(quantity)) : Number(quantity) * 1000

/** The paths of all scalar values in a value. */
function leaves(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return ['']
  return Object.entries(value).flatMap(([key, child]) => leaves(child).map((leaf) => `/${key.replaceAll('/', '~')}${leaf}`))
}

describe("validation by Kubernetes' types", () => {
  it('finds no problem in a valid manifest', async () => {
    expect(await modelProblems(manifest(VALID))).toEqual([])
  })

  it.each([
    ['timeoutSeconds: 600\n      resp', 'timeoutSecond: 600\n      resp', '/spec/template/spec/timeoutSecond is not a field of its type'],
    ['containerConcurrency: 80', 'containerConcurrency: many', '/spec/template/spec/containerConcurrency must be integer'],
    ['  labels:', '  labells:', '/metadata/labells is not a field of its type'],
    ['value: "4"', 'valu: "4"', '/spec/template/spec/containers/0/env/0/valu is not a field of its type'],
    ['emptyDir:', 'emptyDirs:', '/spec/template/spec/volumes/0/emptyDirs is not a field of its type'],
    ['sizeLimit: 16Mi', 'sizeLimits: 16Mi', '/spec/template/spec/volumes/0/emptyDir/sizeLimits is not a field of its type'],
    ['kind: Service', 'kind: Servis', 'serving.knative.dev/v1 has no kind Servis'],
    ['serving.knative.dev/v1\n', 'serving.knative.dev/v2\n', 'serving.knative.dev/v2 has no kind Service'],
  ])('reports a manifest in which %j is replaced by %j: %s', async (piece, replacement, problem) => {
    expect(await modelProblems(manifest(broken(piece, replacement)))).toEqual([problem])
  })

  it.each([
    ['v1', 'ConfigMap', { datas: {} }, ['/datas is not a field of its type']],
    ['v1', 'ConfigMap', { data: { any: 'key' }, metadata: { name: 'a', annotations: { any: 'key' } } }, []],
    [
      'batch/v1',
      'Job',
      { spec: { template: { spec: { containers: [], restartPolicie: 'Never' } } } },
      ['/spec/template/spec/restartPolicie is not a field of its type'],
    ],
    ['networking.k8s.io/v1', 'NetworkPolicy', { spec: { podSelector: {}, ingres: [] } }, ['/spec/ingres is not a field of its type']],
    ['sources.knative.dev/v1', 'PingSource', { spec: { sink: {}, shedule: '* * * * *' } }, ['/spec/shedule is not a field of its type']],
    [
      'gateway.networking.k8s.io/v1',
      'HTTPRoute',
      { spec: { rules: [{ matchs: [] }] } },
      ['/spec/rules/0/matchs is not a field of its type'],
    ],
    ['networking.istio.io/v1', 'VirtualService', { spec: { hosts: ['a'], htttp: [] } }, ['/spec/htttp is not a field of its type']],
    [
      'monitoring.coreos.com/v1',
      'PodMonitor',
      { spec: { selector: {}, podMetricsEndpoint: [] } },
      ['/spec/podMetricsEndpoint is not a field of its type'],
    ],
  ])('knows the fields of %s %s: %j', async (apiVersion, kind, fields, problems) => {
    expect(await modelProblems(Manifest.parse({ metadata: { name: 'a' }, apiVersion, kind, ...fields }))).toEqual(problems)
  })
})

describe("validation by a cluster's CRDs", () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'todo-definitions-'))
  afterAll(() => fs.rmSync(folder, { recursive: true }))

  it('refuses fields that a CRD does not list, except where it preserves unknown fields', () => {
    const schema = {
      type: 'object',
      properties: {
        metadata: { type: 'object' },
        spec: {
          type: 'object',
          properties: {
            names: { type: 'object', additionalProperties: { type: 'string' } },
            items: { type: 'array', items: { type: 'object', properties: { size: { type: 'integer' } } } },
            free: { type: 'object', properties: {}, 'x-kubernetes-preserve-unknown-fields': true },
          },
        },
      },
    }
    const spec = { group: 'example.com', names: { kind: 'Thing' }, versions: [{ name: 'v1', schema: { openAPIV3Schema: schema } }] }
    fs.writeFileSync(path.join(folder, 'thing.yaml'), JSON.stringify({ kind: 'CustomResourceDefinition', spec }))
    const problems = (spec: object, kind = 'Thing') =>
      readDefinitions(folder)(Manifest.parse({ apiVersion: 'example.com/v1', kind, metadata: { name: 'a', any: 1 }, spec }))
    expect(problems({ names: { any: 'key' }, items: [{ size: 1 }], free: { any: 1 } })).toEqual([])
    expect(problems({ names: { any: 1 }, items: [{ siz: 1 }], more: 1 })).toEqual([
      '/spec/more is not a field of its type',
      '/spec/names/any must be string',
      '/spec/items/0/siz is not a field of its type',
    ])
    expect(problems({}, 'Other')).toBeUndefined()
  })

  it('fails when the folder has no CRD', () => {
    expect(() => readDefinitions(import.meta.dirname)).toThrow('there is no CustomResourceDefinition')
  })
})

describe('manifests that are applied together', () => {
  const source = (kind: string, name: string, fields: object) => Manifest.parse({ apiVersion: 'v1', kind, metadata: { name }, ...fields })

  it('reports variables in ConfigMaps and Secrets that functions do not know', async () => {
    const secret = source('Secret', 'todo-database', { data: { DATABASE_URL: btoa('postgresql://a/b'), DATABASE_UR: '' } })
    const other = source('Secret', 'other', { data: { anything: '' } })
    expect(await manifestProblems([manifest(VALID), secret, other])).toEqual([
      'Secret todo-database: DATABASE_UR is not a variable of shared/runtime/env.ts',
    ])

    const configured = manifest(broken('secretRef:\n                name: todo-database', 'configMapRef:\n                name: config'))
    const config = source('ConfigMap', 'config', { data: { CORS_ORIGINS: 'https://a.example/', PUBLIC_URL: '' } })
    expect(await manifestProblems([configured, config])).toEqual([expect.stringMatching(/^ConfigMap config: CORS_ORIGINS must be origins/)])
  })

  it.each([
    [{ envFrom: [{ secretRef: { name: 'a' } }, { configMapRef: { name: 'b', optional: true } }] }, ['Secret a']],
    [
      { env: [{ valueFrom: { secretKeyRef: { name: 'a', key: 'k' } } }, { valueFrom: { configMapKeyRef: { name: 'b', key: 'k' } } }] },
      ['ConfigMap b', 'Secret a'],
    ],
    [
      { volumes: [{ secret: { secretName: 'a' } }, { secret: { secretName: 'b', optional: true } }, { configMap: { name: 'brought' } }] },
      ['Secret a'],
    ],
    [{ serviceAccountName: 'a' }, ['ServiceAccount a']],
  ])('reports references to objects that do not exist: %j', (spec, missing) => {
    expect(missingReferences([source('Pod', 'pod', { spec }), source('ConfigMap', 'brought', {})])).toEqual(missing)
  })

  it('reports the image tag latest in every pod', async () => {
    const pod = source('Pod', 'a', { spec: { containers: [{ name: 'a', image: 'postgres:latest' }] } })
    expect(await manifestProblems([pod])).toEqual(['Pod a: postgres:latest must not be `latest`, which does not identify a version'])
  })
})

describe('PromQL expressions', () => {
  it.each([
    'up',
    '{__name__="up"}',
    'sum by (a, b) (rate(http_requests_total{code=~"5..", job!="x"}[5m])) / on(a) group_left(b) sum(x) without (c) > bool 0.01',
    'histogram_quantile(0.99, sum by (le) (rate(x_bucket[$__rate_interval])))',
    'changes((max(x) > bool 0)[1h:30s]) / 2 or vector(0) unless on (a) -y offset 5m',
    'absent(up{job="a"}) and time() - x >= 1e3',
  ])('accepts the PromQL expression %s', (expression) => {
    expect(promqlProblem(expression)).toBeUndefined()
  })

  it.each([
    ['sum(rate(x[5m])', 'syntax error at 15'],
    ['rat(x[5m])', 'syntax error at 3: ('],
    ['x{a="b}', 'syntax error at 7'],
    ['x{a=b}', 'syntax error at 4: b'],
    ['x{a~"b"}', 'syntax error at 3: ~'],
    ['x >', 'syntax error at 3'],
    ['x y', 'syntax error at 2: y'],
    ['sum by a (x)', 'syntax error at 7'],
    ['', 'syntax error at 0'],
  ])('reports the PromQL expression %s in alerts and dashboards', async (expression, problem) => {
    expect(promqlProblem(expression)).toBe(problem)
    const spec = { groups: [{ name: 'a', rules: [{ alert: 'a', expr: expression || ' ' }] }] }
    const rule = Manifest.parse({ apiVersion: 'monitoring.coreos.com/v1', kind: 'PrometheusRule', metadata: { name: 'a' }, spec })
    expect(await manifestProblems([rule])).toHaveLength(1)
    const board = (type: string) => {
      const data = { 'board.json': JSON.stringify({ panels: [{ datasource: { type }, targets: [{ expr: expression || ' ' }] }] }) }
      return Manifest.parse({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'a' }, data })
    }
    expect(await manifestProblems([board('prometheus')])).toHaveLength(1)
    expect(await manifestProblems([board('loki')])).toEqual([])
  })
})

describe('the service files', () => {
  it('keep the activator in the path of auth, whose TRUSTED_PROXIES counts it', () => {
    const auth = JSON.stringify(plainServices().find(({ metadata }) => metadata.name === 'auth'))
    expect(auth).toContain('{"name":"TRUSTED_PROXIES","value":"hops:3"}')
    expect(auth).toContain('"autoscaling.knative.dev/target-burst-capacity":"-1"')
  })

  it('have no problem', async () => {
    expect(await plainProblems()).toEqual([])
  })

  it('are up to date with `npm run generate`', () => {
    for (const [file, text] of Object.entries(serviceFiles())) expect(read(`../${file}`)).toBe(text)
    expect(Object.keys(serviceFiles()).toSorted()).toEqual(fs.readdirSync(SERVICES).map((file) => `knative/services/${file}`))
  })

  it('refer only to Secrets that knative/README.md creates', () => {
    const made = [...read('README.md').matchAll(/^kn secret create (\S+) /gm)].map(([, name]) => `Secret ${name}`)
    expect(missingReferences(plainServices()).filter((reference) => !made.includes(reference))).toEqual([])
  })

  it('make only events cluster-local', () => {
    const local = plainServices().filter(({ metadata }) => JSON.stringify(metadata).includes('"cluster-local"'))
    expect(local.map(({ metadata }) => metadata.name)).toEqual(['events'])
  })

  it('fit on two cores during a rollout, beside the database, the migration and Knative', () => {
    const values = parse(read('values.yaml'))
    const functions = plainServices().map(
      (service) => millicores(KnativeService.parse(service).spec.template.spec.containers[0].resources.requests.cpu) + QUEUE_PROXY,
    )
    const once = [values.database.embedded.resources, values.migration.resources].map(({ requests }) => millicores(requests.cpu))
    const needed = 2 * functions.reduce((sum, each) => sum + each, 0) + once.reduce((sum, each) => sum + each, 0)
    expect(needed).toBeLessThanOrEqual(2_000 - PLATFORM_REQUESTS)
  })

  it('mount no volume, and mount the CA of a database with the lines of knative/README.md', () => {
    const [, inContainer = '', beside = ''] = /```yaml\n( {10}volumeMounts:\n.*?\n)( {6}volumes:\n.*?\n)```/s.exec(read('README.md')) ?? []
    for (const { metadata } of plainServices()) {
      const text = read(`services/${metadata.name}.yaml`)
      expect(text).not.toMatch(/volume/)
      expect(text.endsWith('\n')).toBe(true)
      // A file ends with its container, so the container's lines follow first, then those of the pod.
      const mounted = text + inContainer + beside
      expect(lintService(`${metadata.name}.yaml`, mounted)).toEqual([])
      expect(parse(mounted).spec.template.spec).toMatchObject({
        containers: [{ volumeMounts: [{ mountPath: '/etc/todo/database-ca' }] }],
        volumes: [{ secret: { secretName: 'todo-database-ca' } }],
      })
    }
  })

  it('need no more connections than database.connections in values.yaml', () => {
    expect(connectionsNeeded([manifest(VALID), manifest(VALID)])).toBe(2 * (4 * 4 + 4 * 4) + 3)
    expect(connectionsNeeded(plainServices())).toBeLessThanOrEqual(parse(read('values.yaml')).database.connections)
  })
})

describe('the chart', () => {
  it('keeps user data out of the log of its database, as `npm start` does', () => {
    const template = read('templates/database-embedded.yaml')
    for (const [name, value] of Object.entries(DISCREET_LOG)) expect(template).toContain(`- -c\n            - ${name}=${value}\n`)
  })

  it('and the image tags have the version of package.json', () => {
    const { version } = JSON.parse(read('../package.json'))
    const chart = parse(read('Chart.yaml'))
    expect([chart.version, chart.appVersion]).toEqual([version, version])
    const images = plainServices().map((service) => /"image":"([^"]+)"/.exec(JSON.stringify(service))?.[1])
    expect(images).toEqual(plainServices().map(({ metadata }) => `dev.local/todo-${metadata.name}:${version}`))
  })
})

const Enumeration = z.object({ enum: z.array(z.string()) })
const Triggers = z.object({
  properties: z.object({
    eventing: z.object({
      properties: z.object({ triggers: z.object({ additionalProperties: z.object({ properties: z.object({ type: Enumeration }) }) }) }),
    }),
  }),
})
const Functions = z.object({ properties: z.object({ functions: z.object({ properties: z.record(z.string(), z.unknown()) }) }) })
const Workflow = z.object({
  jobs: z.record(z.string(), z.object({ strategy: z.object({ matrix: z.object({ function: z.array(z.string()) }) }).optional() })),
})

describe('lists repeated in JSON and YAML', () => {
  const schema: unknown = JSON.parse(read('values.schema.json'))
  const images = [...plainServices().map(({ metadata }) => metadata.name), 'migrate'].toSorted()

  it('values.schema.json accepts triggers for exactly the event types of shared/todos/events.ts', () => {
    const { type } = Triggers.parse(schema).properties.eventing.properties.triggers.additionalProperties.properties
    expect(type.enum).toEqual(Object.keys(todoEvents))
  })

  it('values.schema.json and values.yaml list exactly the functions of services/ and the migration', () => {
    expect(Object.keys(Functions.parse(schema).properties.functions.properties).toSorted()).toEqual(images)
    expect(Object.keys(parse(read('values.yaml')).functions).toSorted()).toEqual(images)
  })

  it('the GitHub workflow builds and publishes an image of every function and of the migration', () => {
    const { jobs } = Workflow.parse(parse(read('../.github/workflows/check.yml')))
    const matrices = Object.values(jobs).flatMap(({ strategy }) => (strategy ? [strategy.matrix.function.toSorted()] : []))
    expect(matrices).toEqual([images, images])
  })

  it('knative/README.md mentions only files that exist', () => {
    const files = [...read('README.md').matchAll(/(?<=[\s`])knative\/[\w./-]*\w/g)].map(([file]) => file)
    expect(files.length).toBeGreaterThan(3)
    for (const file of files) expect(fs.existsSync(path.join(import.meta.dirname, '..', '..', file)), file).toBe(true)
  })
})

const MIGRATION = 'Job/todo-migrate'
const SPEC = '/spec/template/spec'

describe.skipIf(!hasHelm)('the chart, rendered', () => {
  it.each(Object.keys(VARIANTS))('has no problem with %s', async (name) => {
    expect(await chartProblems(helm, VARIANTS[name] ?? [])).toEqual([])
  })

  it.each([
    ['its own values', []],
    ['every optional part', []],
    ['values for production', ['Secret todo-auth', 'Secret todo-database', 'Secret todo-database-migration']],
  ])('with %s contains every object that its pods refer to, except %j', (name, missing) => {
    expect(missingReferences(render(helm, VARIANTS[name] ?? []))).toEqual(missing)
  })

  it('makes the migration wait for the embedded database only', () => {
    const waits = (args: string[]) =>
      JSON.stringify(render(helm, args).find(({ kind, metadata }) => `${kind}/${metadata.name}` === MIGRATION)).includes('"initContainers"')
    expect(waits([])).toBe(true)
    expect(waits(VARIANTS['an external database'] ?? [])).toBe(false)
  })

  it('sets topologySpreadConstraints, which Knative refuses by default, only with spreadOverNodes', async () => {
    const problems = await chartProblems(helm, ['--set=spreadOverNodes=true'])
    expect(problems).toHaveLength(plainServices().length)
    for (const problem of problems) expect(problem).toContain('topologySpreadConstraints is not allowed: Knative refuses it unless')
  })

  it.each([
    ['functions.todos.scal.max=1', 'scal'],
    ['functions.todos.scale.max=many', 'scale/max'],
    ['database.mode=sqlite', 'mode'],
    ['config.TRUSTED_PROXIES=loopback', 'functions.auth.extraEnv.TRUSTED_PROXIES'],
    ['config.CORS_ORIGINS=loopback', 'CORS_ORIGINS'],
    ['trustedProxies=uniquelocal', 'trustedProxies'],
    ['trustedProxies=hops:0', 'trustedProxies'],
  ])('refuses the value %s', (value, word) => {
    expect(() => render(helm, [`--set=${value}`])).toThrow(word)
  })

  it.each([
    [[], 'hops:3'],
    [['--set=trustedProxies=hops:4'], 'hops:4'],
    [['--set=trustedProxies=loopback\\,10.244.0.0/16'], 'loopback,10.244.0.0/16'],
  ])('with %j sets TRUSTED_PROXIES of auth to %s', (args, value) => {
    const auth = render(helm, args).find((one) => isFunction(one) && one.metadata.name === 'auth')
    expect(JSON.stringify(auth)).toContain(`{"name":"TRUSTED_PROXIES","value":"${value}"}`)
  })

  it('starts new revisions when a key changes that pods read when they start', () => {
    const chat = (key: string) =>
      JSON.stringify(
        render(helm, ['--set=openai.enabled=true', `--set=openai.apiKey=${key}`]).find(
          (one) => isFunction(one) && one.metadata.name === 'chat',
        ),
      )
    expect(chat('one')).toBe(chat('one'))
    expect(chat('one')).not.toBe(chat('another'))
  })

  it.each([
    ['its own values', 4],
    ['an external database', 1],
  ])('with %s keeps the Secrets of the database, which an operator may have overwritten', (name, count) => {
    const secrets = render(helm, VARIANTS[name] ?? []).filter(
      ({ kind, metadata }) =>
        kind === 'Secret' && metadata.name.startsWith('todo-database') && !JSON.stringify(metadata).includes('helm.sh/hook'),
    )
    expect(secrets).toHaveLength(count)
    for (const secret of secrets) expect(secret).toMatchObject({ metadata: { annotations: { 'helm.sh/resource-policy': 'keep' } } })
  })

  it('satisfies `helm lint --strict`', () => {
    expect(lintChart(helm, [])).toEqual([])
  })

  it('renders the service files unchanged, except for the fields that a release adds', () => {
    const rendered = render(helm, []).filter(isFunction)
    expect(rendered).toMatchObject(plainServices())
    for (const [index, file] of plainServices().entries()) {
      const has = leaves(file)
      expect(leaves(rendered[index]).filter((leaf) => !has.includes(leaf))).toEqual([
        '/metadata/labels/app.kubernetes.io~instance',
        '/metadata/labels/app.kubernetes.io~managed-by',
        '/metadata/labels/app.kubernetes.io~version',
        '/metadata/labels/helm.sh~chart',
        '/spec/template/metadata/annotations/todo~configuration',
        `${SPEC}/containers/0/volumeMounts/0/mountPath`,
        `${SPEC}/containers/0/volumeMounts/0/name`,
        `${SPEC}/containers/0/volumeMounts/0/readOnly`,
        `${SPEC}/serviceAccountName`,
        `${SPEC}/volumes/0/name`,
        `${SPEC}/volumes/0/secret/secretName`,
      ])
    }
  })

  it.each([
    ['the embedded database', [], ['todo-database-ca']],
    ['a database without a private CA', VARIANTS['an external database'] ?? [], []],
    ['a CA among the values', ['--set=database.mode=external', '--set=database.external.ca=PEM'], ['todo-database-ca']],
    ['a CA in an existing Secret', VARIANTS['existing Secrets'] ?? [], ['their-ca']],
  ])('with %s mounts only the Secret of the CA in each function', (_case, args, secrets) => {
    for (const service of render(helm, args).filter(isFunction)) {
      const { volumes, containers } = KnativeService.parse(service).spec.template.spec
      expect(volumes.map(({ secret }) => secret?.secretName)).toEqual(secrets)
      expect(containers[0].volumeMounts.map(({ mountPath }) => mountPath)).toEqual(secrets.map(() => '/etc/todo/database-ca'))
    }
  })

  it('refuses both ca and caSecret for one database', () => {
    const both = ['--set=database.mode=external', '--set=database.external.ca=PEM', '--set=database.external.caSecret=theirs']
    expect(() => render(helm, both)).toThrow('not both')
  })

  it('refuses more connections than the database grants and prints the sum of connectionsNeeded', () => {
    const needed = connectionsNeeded(
      render(helm, ['--set=functions.todos.scale.max=10', '--set=database.connections=1000']).filter(isFunction),
    )
    expect(() => render(helm, ['--set=functions.todos.scale.max=10'])).toThrow(`Up to ${needed} connections`)
  })
})
