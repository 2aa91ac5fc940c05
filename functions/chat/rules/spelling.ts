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

/** Corrects one word; it keeps whatever is not meant. */
function correct(word: string, lexicon: readonly string[]): string {
  const lower = word.toLowerCase()
  if (VERBS.includes(lower) || WORDS.includes(lower) || INNOCENT.has(lower)) return word
  const known = Object.hasOwn(KNOWN, lower) ? KNOWN[lower] : undefined
  if (known) return known
  if (lower.length < 4) return word
  return lexicon.find((candidate) => isSlip(lower, candidate)) ?? word
}

/** One letter too many, too few, wrong or swapped; in a word of four letters only swapped ones; in a long word two slips. */
function isSlip(word: string, meant: string): boolean {
  if (meant.length < 4 || Math.abs(word.length - meant.length) > 2) return false
  if (meant.length === 4)
    return word.length === 4 && [...word].sort().join('') === [...meant].sort().join('') && distance(word, meant) === 1
  return distance(word, meant) <= (meant.length >= 8 ? 2 : 1)
}

/** Optimal string alignment: the Levenshtein distance in which a swap of neighbours counts as one. */
export function distance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, column) => column)]
  const at = (row: number, column: number) => rows[row]?.[column] ?? 0
  for (let i = 1; i <= a.length; i++) {
    rows[i] = [i]
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      let best = Math.min(at(i - 1, j) + 1, at(i, j - 1) + 1, at(i - 1, j - 1) + cost)
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) best = Math.min(best, at(i - 2, j - 2) + 1)
      rows[i]?.push(best)
    }
  }
  return at(a.length, b.length)
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
