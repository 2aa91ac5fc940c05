// `npm run sbom`: what the images may be made of, as CycloneDX in dist/sbom.json. Development dependencies are taken out here, by npm's own
// marks: `npm sbom --omit=dev` also leaves out every package that some other one develops with, Hono and Zod among them.
import { execFile } from 'node:child_process'
import fs from 'node:fs/promises'
import path from 'node:path'
import { promisify } from 'node:util'

type Component = { 'bom-ref': string; properties?: { name: string; value: string }[] }
type Bom = { components: Component[]; dependencies: { ref: string; dependsOn: string[] }[] }

const root = path.join(import.meta.dirname, '..')
const { stdout } = await promisify(execFile)(
  'npm',
  ['sbom', '--package-lock-only', '--sbom-format=cyclonedx', '--sbom-type=application', '--loglevel=error'],
  { cwd: root, maxBuffer: 2 ** 26, shell: process.platform === 'win32' },
)
const bom: Bom = JSON.parse(stdout)
const isDevelopment = ({ properties = [] }: Component) => properties.some(({ name }) => name === 'cdx:npm:package:development')
const left = new Set(bom.components.filter(isDevelopment).map((component) => component['bom-ref']))
const production: Bom = {
  ...bom,
  components: bom.components.filter((component) => !isDevelopment(component)),
  dependencies: bom.dependencies
    .filter(({ ref }) => !left.has(ref))
    .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((other) => !left.has(other)) })),
}
const file = path.join(root, 'dist', 'sbom.json')
await fs.mkdir(path.dirname(file), { recursive: true })
await fs.writeFile(file, JSON.stringify(production, null, 2))
process.stdout.write(`${path.relative(root, file)}: ${production.components.length} components\n`)
