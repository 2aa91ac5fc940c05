// `node functions/_build/checks/words.ts`: fails when a comment, a test title or a document uses a phrase that the reader has to decode.
// The list holds the phrases that this code base grew before; each names the plain words to use instead.
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'

type Phrase = { pattern: RegExp; instead: string }

const PHRASES: Phrase[] = [
  { pattern: /\b(whoever|whomever)\b/i, instead: 'name the role: the client, the caller, the operator' },
  { pattern: /\bwhatever\b/i, instead: 'any, regardless of' },
  { pattern: /\b(somebody|someone|anybody|nobody)( else)?\b/i, instead: 'name the role: another user, no client, the caller' },
  { pattern: /\b(tells?|told|telling)\b/i, instead: 'reports, logs, emits, shows' },
  { pattern: /\bsays? so\b/i, instead: 'state the condition' },
  { pattern: /\b(goes|go|went) (well|wrong)\b/i, instead: 'succeeds, fails' },
  { pattern: /\b(is|are|was|were) gone\b/i, instead: 'was deleted, has disconnected, has expired' },
  { pattern: /\bthose (that|which|who)\b/i, instead: 'name the thing: the rows that' },
  { pattern: /\bfor ever\b/i, instead: 'forever, indefinitely' },
  { pattern: /\bin truth\b/i, instead: 'actually' },
  { pattern: /\bwhat (was|were|had|came|comes|went|goes|did|does)\b/i, instead: 'name the thing' },
  { pattern: /\b(is|are) none of (its|our|their) business\b/i, instead: 'is ignored' },
  { pattern: /\bis to blame\b/i, instead: 'caused it' },
]

/** A piece of prose: where it stands and what it says. */
type Prose = { line: number; text: string }

const COMMENT: Record<string, RegExp> = {
  '.ts': /(?:^|\s)(?:\/\/|\/?\*\*?)\s(.*)$/,
  '.tsx': /(?:^|\s)(?:\/\/|\/?\*\*?)\s(.*)$/,
  '.mjs': /(?:^|\s)(?:\/\/|\/?\*\*?)\s(.*)$/,
  '.css': /(?:^|\s)\/?\*+\s(.*)$/,
  '.prisma': /(?:^|\s)\/\/\/?\s(.*)$/,
  '.sql': /(?:^|\s)--\s(.*)$/,
  '.yaml': /(?:^|\s)#+\s(.*)$/,
  '.yml': /(?:^|\s)#+\s(.*)$/,
  '.tpl': /(?:^|\s)#+\s(.*)$/,
}
const TITLE = /\b(?:it|test|describe)(?:\.\w+)*(?:\([^'"`]*\))?\(\s*(['"`])(.*?)\1/

/** The comments, test titles and paragraphs of a file. Code, and the code blocks of a document, are not prose. */
export function proseOf(file: string, source: string): Prose[] {
  const extension = path.extname(file)
  const lines = source.split('\n')
  if (extension === '.md') return paragraphs(lines)
  const comment = COMMENT[extension]
  return lines.flatMap((line, index) => {
    const texts = [comment?.exec(line)?.[1], /\.test\.ts$/.test(file) ? TITLE.exec(line)?.[2] : undefined]
    return texts.filter((text) => text !== undefined).map((text) => ({ line: index + 1, text }))
  })
}

function paragraphs(lines: string[]): Prose[] {
  let fenced = false
  return lines.flatMap((line, index) => {
    const isFence = /^\s*(```|~~~)/.test(line)
    if (isFence) fenced = !fenced
    return isFence || fenced ? [] : [{ line: index + 1, text: line.replace(/`[^`]*`/g, '``') }]
  })
}

/** One line for every phrase that a file should not use. */
export function unclearPhrases(file: string, source: string): string[] {
  return proseOf(file, source).flatMap(({ line, text }) =>
    PHRASES.flatMap(({ pattern, instead }) => {
      const found = pattern.exec(text)?.[0]
      return found ? [`${file}:${line}: “${found}”. Instead: ${instead}`] : []
    }),
  )
}

/** Released notes and this list stay as they are; quoted sentences of users are no prose of ours. */
const LEFT_OUT =
  /^(package-lock\.json|LICENSE|functions\/_build\/checks\/words(\.test)?\.ts|prisma\/generated\/.*|prisma\/migrations\/20261123.*)$/

if (import.meta.main) {
  const root = path.join(import.meta.dirname, '..', '..', '..')
  const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], { cwd: root, encoding: 'utf8' }).split('\n')
  const found = files
    .filter((file) => file && !LEFT_OUT.test(file) && (path.extname(file) in COMMENT || path.extname(file) === '.md'))
    .filter((file) => fs.existsSync(path.join(root, file)))
    .flatMap((file) => unclearPhrases(file, fs.readFileSync(path.join(root, file), 'utf8')))
  process.stdout.write(found.map((line) => `${line}\n`).join(''))
  if (found.length > 0) {
    process.stderr.write(`${found.length} phrases to write in plain words\n`)
    process.exitCode = 1
  }
}
