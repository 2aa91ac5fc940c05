// All checks of the manifests that need no cluster: of the service files that `kn` applies, and of the chart as Helm renders it.
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

/** The service files, sorted by name. */
export function plainServices(): Manifest[] {
  return fs.readdirSync(SERVICES).map((file) => Manifest.parse(parse(fs.readFileSync(path.join(SERVICES, file), 'utf8'))))
}

/** The problems of the service files, also by the CRDs if given; empty if there are none. */
export async function plainProblems(definitions?: Definitions): Promise<string[]> {
  const types = await Promise.all(plainServices().map((service) => typeProblems(service, definitions)))
  return [...lintServices(ROOT).map(describeFinding), ...types.flat()]
}

/** The problems of the chart with these arguments; empty if there are none. @throws Error when Helm refuses the arguments */
export async function chartProblems(helm: string, args: string[], definitions?: Definitions): Promise<string[]> {
  return manifestProblems(render(helm, args), definitions)
}

/** The problems of manifests that are applied together. */
export async function manifestProblems(manifests: Manifest[], definitions?: Definitions): Promise<string[]> {
  const types = await Promise.all(manifests.map((manifest) => typeProblems(manifest, definitions)))
  const own = manifests.flatMap((manifest) => [...serviceProblems(manifest), ...imageProblems(manifest), ...expressionProblems(manifest)])
  return [...types.flat(), ...own, ...sourceProblems(manifests)]
}

/** Whether it is a Knative Service; Kubernetes has a kind Service, too. */
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

/** Every string under this key, at any depth. */
function textsUnder(key: string, value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, child]) => (name === key && typeof child === 'string' ? [child] : textsUnder(key, child)))
}

/** The images of all pods that are not functions; lintManifest checks the images of functions. */
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

/** The expressions of alerts and of dashboards (JSON files in ConfigMaps). Loki's panels have another language and are skipped. */
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

/** ConfigMaps and Secrets that functions read as environment must contain known variables with valid values. */
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
