// The README and .env.example list every environment variable as shared/runtime/env.ts has it.
import fs from 'node:fs'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { variables } from './env.ts'

const read = (file: string) => fs.readFileSync(path.join(import.meta.dirname, '..', '..', file), 'utf8')

/** Write this between the README's markers when the test says it differs. */
function environmentTable(): string {
  const rows = Object.entries(variables).map(([name, variable]) => {
    const fallback = 'default' in variable && variable.default !== '' ? `\`${variable.default}\`` : ''
    return `| \`${name}\` | ${variable.form} | ${fallback} | ${variable.meaning} |`
  })
  return ['| Variable | Takes | Default | Meaning |', '| --- | --- | --- | --- |', ...rows].join('\n')
}

describe('what is written about the environment', () => {
  it('is a table of every variable in the README', () => {
    const [, table] = /<!-- environment -->\n([\s\S]*?)\n?<!-- \/environment -->/.exec(read('README.md')) ?? []
    expect(table).toBe(environmentTable())
  })

  it('is a line for every variable in .env.example', () => {
    const names = [...read('.env.example').matchAll(/^#? ?([A-Z_]+)=/gm)].map(([, name]) => name)
    expect(names).toEqual(Object.keys(variables))
  })
})
