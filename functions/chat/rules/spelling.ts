// Step 2: typing errors in the words that steer: verbs at the beginning, days and states anywhere. Words of titles are left alone.

const VERBS =
  'add create delete remove erase complete finish reopen rename change reschedule postpone remind schedule update show list mark'.split(' ')
const WORDS =
  'tomorrow today tonight monday tuesday wednesday thursday friday saturday sunday priority overdue finished completed urgent'.split(' ')
/** What people type that is no single slip away, or too short to be sure of. */
const KNOWN: Record<string, string> = {
  ad: 'add',
  addd: 'add',
  dd: 'add',
  aad: 'add',
  dlt: 'delete',
  del: 'delete',
  rm: 'remove',
  shw: 'show',
  sho: 'show',
  lst: 'list',
  mrk: 'mark',
  tmrw: 'tomorrow',
  tmr: 'tomorrow',
  tmw: 'tomorrow',
  tomoz: 'tomorrow',
  '2moro': 'tomorrow',
  '2morrow': 'tomorrow',
  tommorow: 'tomorrow',
  tomorow: 'tomorrow',
  tommorrow: 'tomorrow',
  tonite: 'tonight',
  tues: 'tuesday',
  thurs: 'thursday',
  thur: 'thursday',
  weds: 'wednesday',
  teh: 'the',
  '2day': 'today',
  tody: 'today',
  dnoe: 'done',
  doen: 'done',
  odne: 'done',
  don: 'done',
  compelte: 'complete',
  compleet: 'complete',
  complet: 'complete',
  tsaks: 'tasks',
  taks: 'tasks',
  taska: 'tasks',
  tasl: 'task',
  taskk: 'task',
  tsak: 'task',
  todso: 'todos',
  tdos: 'todos',
  pendng: 'pending',
  peding: 'pending',
  pnding: 'pending',
  remeber: 'remember',
  remmber: 'remember',
  rember: 'remember',
  wat: 'what',
  wht: 'what',
  whta: 'what',
}
/** Words of their own that are one slip away from one of ours. */
const INNOCENT = new Set(
  (
    'shop ship shoe slow snow show shot list lift lost last mist park bark make mask dark mart charge chance remote finnish crate cream compete ' +
    'rewind remand sundae toddy updated delegate dad odd ado completes finishes urgency marks lists'
  ).split(' '),
)

/** Corrects one word; a word that is no misspelling stays. */
function correct(word: string, lexicon: readonly string[]): string {
  const lower = word.toLowerCase()
  if (VERBS.includes(lower) || WORDS.includes(lower) || INNOCENT.has(lower)) return word
  const known = Object.hasOwn(KNOWN, lower) ? KNOWN[lower] : undefined
  if (known) return known
  if (lower.length < 4) return word
  return lexicon.find((candidate) => isTypo(lower, candidate)) ?? word
}

/** One letter too many, too few, wrong or swapped; in a word of four letters only swapped ones; in a long word two slips. */
function isTypo(word: string, meant: string): boolean {
  if (meant.length < 4) return false
  if (meant.length === 4) return word.length === 4 && [...word].sort().join('') === [...meant].sort().join('') && isSlip(word, meant)
  return isWithin(meant.length >= 8 ? 2 : 1, word, meant)
}

/** Whether a word may have been meant to be another one; short words and numbers have to be right. */
export function isSlip(said: string, word: string): boolean {
  if (said.length < 4 || word.length < 4 || said.length > LONGEST || /\d/.test(said)) return false
  return isWithin(said.length >= 8 ? 2 : 1, said, word)
}
/** Letters of the longest words that are compared letter by letter. */
const LONGEST = 32

/**
 * Whether the distance of two words is at most `limit`: letters inserted, left out, replaced, or swapped with their neighbour (optimal
 * string alignment). Looks only at what lies within `limit` of the diagonal, and stops where nothing below `limit` is left.
 */
export function isWithin(limit: number, a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > limit) return false
  const far = limit + 1
  const row = () => new Uint8Array(b.length + 1).fill(far)
  let [beforeLast, last, current] = [row(), row().map((_, column) => Math.min(column, far)), row()]
  const at = (cells: Uint8Array, column: number) => cells[column] ?? far
  for (let i = 1; i <= a.length; i++) {
    current.fill(far)
    if (i <= limit) current[0] = i
    let least = at(current, 0)
    for (let j = Math.max(1, i - limit); j <= Math.min(b.length, i + limit); j++) {
      let best = Math.min(at(last, j) + 1, at(current, j - 1) + 1, at(last, j - 1) + (a[i - 1] === b[j - 1] ? 0 : 1), far)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, at(beforeLast, j - 2) + 1)
      current[j] = best
      least = Math.min(least, best)
    }
    if (least > limit) return false
    const spare = beforeLast
    beforeLast = last
    last = current
    current = spare
  }
  return at(last, b.length) <= limit
}

/** Days, states and the like, wherever they stand. */
export function correctWords(text: string): string {
  return text.replace(/(?<![#\p{L}\p{N}'’-])[\p{L}\p{N}]+(?![\p{L}\p{N}'’-])/gu, (word) =>
    VERB_ONLY.has(word.toLowerCase()) ? word : correct(word, WORDS),
  )
}
const VERB_ONLY = new Set(['ad', 'dd', 'del', 'rm', 'don', 'sho', 'lst', 'addd', 'aad', 'dlt', 'shw', 'mrk', 'wat'])

/** The verb that a clause begins with. */
export function correctVerb(clause: string): string {
  return clause.replace(/^[\p{L}]+(?![\p{L}'’-])/u, (word) => correct(word, VERBS))
}
