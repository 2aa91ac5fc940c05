// The two documents that list every environment variable: the table in functions/README.md, and .env.example.
import { variables } from '../../shared/runtime/env.ts'

type Variable = { form: string; meaning: string; default?: string; example?: string }
const all: [string, Variable][] = Object.entries(variables)

/** A Markdown table. */
export function environmentTable(): string {
  const rows = all.map(([name, { form, meaning, default: fallback }]) => {
    return `| \`${name}\` | ${form} | ${fallback ? `\`${fallback}\`` : ''} | ${meaning} |`
  })
  return ['| Variable | Takes | Default | Meaning |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

const HEAD = `# Every environment variable; functions/README.md has the table with their forms and bounds.
# \`npm start\` needs none of them. A single function: node --env-file=.env functions/todos/main.ts
`

/** A file for \`node --env-file\`: required variables are set to an example, the others are commented out. */
export function environmentExample(): string {
  const lines = all.map(([name, { meaning, default: fallback = '', example }]) => {
    return `# ${meaning.replaceAll('`', '')}\n${example === undefined ? `# ${name}=${fallback}` : `${name}=${example}`}\n`
  })
  return [HEAD, ...lines].join('\n')
}
