// `npm run check:manifests -- [--crds <folder>]`: checks the service files and the chart, also against a cluster's CRDs if a folder has them.
// Uses the Helm in HELM or on the PATH.
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
if (!definitions) say('SKIPPED: validation by CRDs: --crds was not given')
if (helmRuns(helm)) {
  for (const [name, args] of Object.entries(VARIANTS)) {
    await check(`the chart with ${name}`, async () => [...lintChart(helm, args), ...(await chartProblems(helm, args, definitions))])
  }
} else say('SKIPPED: the chart: found no helm on the PATH or in HELM')
process.exitCode = found.length === 0 ? 0 : 1
