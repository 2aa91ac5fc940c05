// `npm run check:manifests -- [--crds <folder>]`: every check of the files and of the chart, with a cluster's own definitions where a folder
// has them. Helm is the one in HELM, or on the PATH.
import { parseArgs } from 'node:util'
import { helmRuns, lintChart, VARIANTS } from './chart.ts'
import { readDefinitions } from './crds.ts'
import { chartProblems, plainProblems } from './verify.ts'

const { values } = parseArgs({ options: { crds: { type: 'string' } } })
const helm = process.env.HELM || 'helm'
const definitions = values.crds === undefined ? undefined : readDefinitions(values.crds)
const say = (line: string) => process.stdout.write(`${line}\n`)

const found: string[] = []
const check = async (what: string, problems: () => Promise<string[]>) => {
  const wrong = await problems().catch((error: unknown) => [String(error)])
  say(`${wrong.length === 0 ? 'ok   ' : 'WRONG'} ${what}`)
  for (const line of wrong) say(`      ${line}`)
  found.push(...wrong)
}

await check('the files that kn applies', () => plainProblems(definitions))
if (!definitions) say("SKIPPED: a cluster's own definitions (CRDs): no folder was given")
if (helmRuns(helm)) {
  for (const [name, args] of Object.entries(VARIANTS)) {
    await check(`the chart with ${name}`, async () => [...lintChart(helm, args), ...(await chartProblems(helm, args, definitions))])
  }
} else say('SKIPPED: the chart: there is no helm on the PATH, or in HELM')
process.exitCode = found.length === 0 ? 0 : 1
