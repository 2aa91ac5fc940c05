// Everything that is checked of the manifests without a cluster: of the plain files that `kn` applies, and of what Helm makes of the chart.
import fs from 'node:fs'
import path from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import { render } from './chart.ts'
import type { Definitions } from './crds.ts'
import { describeFinding, lintManifest, lintServices, variableProblem } from './lint.ts'
import { Manifest, modelProblems } from './models.ts'
import { promqlProblem } from './promql.ts'
import { imageProblem, KnativeService } from './service.ts'

const ROOT = path.join(import.meta.dirname, '..', '..')
const SERVICES = path.join(import.meta.dirname, '..', 'services')

/** The plain files, by name. */
export function plainServices(): Manifest[] {
  return fs.readdirSync(SERVICES).map((file) => Manifest.parse(parse(fs.readFileSync(path.join(SERVICES, file), 'utf8'))))
}

/** What is wrong with the plain files; empty when all is well. With definitions, also by those. */
export async function plainProblems(definitions?: Definitions): Promise<string[]> {
  const types = await Promise.all(plainServices().map((service) => typeProblems(service, definitions)))
  return [...lintServices(ROOT).map(describeFinding), ...types.flat()]
}

/** What is wrong with the chart when it is installed with these arguments; empty when all is well. @throws when Helm refuses them */
export async function chartProblems(helm: string, args: string[], definitions?: Definitions): Promise<string[]> {
  return manifestProblems(render(helm, args), definitions)
}

/** What is wrong with manifests that are applied together. */
export async function manifestProblems(manifests: Manifest[], definitions?: Definitions): Promise<string[]> {
  const types = await Promise.all(manifests.map((manifest) => typeProblems(manifest, definitions)))
  const own = manifests.flatMap((manifest) => [...serviceProblems(manifest), ...imageProblems(manifest), ...expressionProblems(manifest)])
  return [...types.flat(), ...own, ...sourceProblems(manifests)]
}

/** Is it a Knative Service? Kubernetes has a kind of that name, too. */
export function isFunction({ apiVersion, kind }: Manifest): boolean {
  return kind === 'Service' && apiVersion.startsWith('serving.knative.dev/')
}

const label = ({ kind, metadata }: Manifest) => `${kind} ${metadata.name}`

async function typeProblems(manifest: Manifest, definitions?: Definitions): Promise<string[]> {
  const problems = [...(await modelProblems(manifest)), ...(definitions?.(manifest) ?? [])]
  return problems.map((problem) => `${label(manifest)}: ${problem}`)
}

function serviceProblems(manifest: Manifest): string[] {
  if (!isFunction(manifest)) return []
  return lintManifest(manifest, manifest.metadata.name).map((problem) => describeFinding({ file: label(manifest), ...problem }))
}

/** Every text that stands under this key, however deep. */
function textsUnder(key: string, value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, child]) => (name === key && typeof child === 'string' ? [child] : textsUnder(key, child)))
}

/** Every image of every other pod, too, says which one it is. */
function imageProblems(manifest: Manifest): string[] {
  if (isFunction(manifest)) return []
  return textsUnder('image', manifest).flatMap((image) => {
    const problem = imageProblem(image)
    return problem ? [`${label(manifest)}: ${image} ${problem}`] : []
  })
}

const Source = z.object({ data: z.record(z.string(), z.string()).default({}), stringData: z.record(z.string(), z.string()).default({}) })

const Panel = z.object({ datasource: z.object({ type: z.string() }), targets: z.array(z.unknown()) })
const Dashboard = z.object({ panels: z.array(Panel) })

/** Alerts and dashboards (files in JSON) ask what Prometheus can read. Loki's language is another one. */
function expressionProblems(manifest: Manifest): string[] {
  const files = manifest.kind === 'ConfigMap' ? Object.entries(Source.parse(manifest).data).filter(([file]) => file.endsWith('.json')) : []
  const panels = files.flatMap(([, text]) => Dashboard.parse(JSON.parse(text)).panels)
  const asked = [manifest, ...panels.filter(({ datasource }) => datasource.type === 'prometheus')]
  return asked
    .flatMap((value) => textsUnder('expr', value))
    .flatMap((expression) => {
      const problem = promqlProblem(expression)
      return problem ? [`${label(manifest)}: ${expression}: ${problem}`] : []
    })
}

/** What functions read from ConfigMaps and Secrets is made of variables they know. */
function sourceProblems(manifests: Manifest[]): string[] {
  const functions = manifests.filter(isFunction).flatMap((manifest) => KnativeService.safeParse(manifest).data ?? [])
  const references = functions.flatMap(({ spec }) => spec.template.spec.containers[0].envFrom ?? [])
  const names = new Set(
    references.map(({ configMapRef, secretRef }) => (secretRef ? `Secret ${secretRef.name}` : `ConfigMap ${configMapRef?.name}`)),
  )
  return manifests
    .filter((manifest) => names.has(label(manifest)))
    .flatMap((manifest) => {
      const { data, stringData } = Source.parse(manifest)
      const decoded = Object.entries(data).map(
        ([key, value]) => [key, manifest.kind === 'Secret' ? Buffer.from(value, 'base64').toString() : value] as const,
      )
      return [...decoded, ...Object.entries(stringData)].flatMap(([name, value]) => {
        const message = variableProblem(name, value)
        return message ? [`${label(manifest)}: ${name} ${message}`] : []
      })
    })
}
