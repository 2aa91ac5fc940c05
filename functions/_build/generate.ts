// `npm run generate`: rewrites the files that are made from code. With --check it writes nothing and fails when one of them is stale.
import fs from 'node:fs'
import path from 'node:path'
import { connectionsTable } from '../../knative/tools/connections.ts'
import { serviceFiles } from '../../knative/tools/services.ts'
import { environmentExample, environmentTable } from './environment.ts'
import { openApiText } from './openapi.ts'

const isCheck = process.argv.includes('--check')
const root = path.join(import.meta.dirname, '..', '..')
const read = (file: string) => (fs.existsSync(path.join(root, file)) ? fs.readFileSync(path.join(root, file), 'utf8') : '')

/** What stands between two markers of a document, replaced. @throws Error when the markers are not there */
function between(file: string, marker: string, content: string): string {
  const text = read(file)
  const block = new RegExp(`(<!-- ${marker} -->\\n)[\\s\\S]*?(<!-- /${marker} -->)`)
  if (!block.test(text)) throw new Error(`${file} has no <!-- ${marker} --> … <!-- /${marker} -->`)
  return text.replace(block, (_, start: string, end: string) => `${start}${content}\n${end}`)
}

const files: Record<string, string> = {
  'functions/README.md': between('functions/README.md', 'environment', environmentTable()),
  '.env.example': environmentExample(),
  'knative/README.md': between('knative/README.md', 'connections', connectionsTable()),
  ...serviceFiles(),
  'openapi.json': `${JSON.stringify(JSON.parse(await openApiText()), null, 2)}\n`,
}

const stale = Object.entries(files).filter(([file, content]) => read(file) !== content)
for (const [file, content] of stale) {
  if (isCheck) process.stderr.write(`${file} is stale: run npm run generate\n`)
  else fs.writeFileSync(path.join(root, file), content)
}
if (isCheck && stale.length > 0) process.exitCode = 1
// The pool of the described app opens no connection, but its timers would keep the process alive.
process.exit()
