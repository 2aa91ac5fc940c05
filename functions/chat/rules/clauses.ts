// Step 3: from a message to its clauses, each of which wants one thing, without the courtesies around it.
import { correctVerb, correctWords } from './spelling.ts'

const GREETING =
  /^(?:hey|hi|hello|yo|good (?:morning|afternoon|evening))(?: there)?(?:\s*[,!.]+\s*|\s+(?=(?:please|pls|can|could|would|will|add|create|show|list|delete|remove|mark|remind|what|i)\b))/i
const COURTESY =
  /^(?:please|pls|plz|plese|pleas|plaese|pleae|kindly|just|also|okay|ok|so|um+|uh+|oh|well|alright|now|and|then|next|finally|actually|oops|whoops|(?:sorry|no|wait|no wait|hmm+)(?=\s*,)|could (?:you|u|ya)(?: maybe)?|can (?:you|u|ya|i|we)(?: maybe)?|would (?:you|u)(?: mind)?|will (?:you|u)|do you mind|i(?:['’]d| would) (?:like|love|want)(?: (?:you|u))? to|i (?:want|need) (?:you|u) to|i wanna(?= (?:see|add|delete))|i want to(?= (?:see|view|add|create|delete|remove|mark|complete|list|know)\b)|let['’]?s|help me(?: to)?|go ahead and|be so kind (?:as|and) to|do me a favou?r and|quickly)(?![\p{L}\p{N}'’])[\s,:!.-]*/iu
const THANKS =
  /[\s,.!]*(?:\b(?:please|pls|plz|thanks?(?: a lot| so much| in advance| you(?: (?:so|very) much)?)?|thx|ty|cheers|for me|(?:will|would|can|could) (?:you|u)|if (?:you can|possible)|when you can|ok|okay)|:\)|:-\))[\s.!?]*$/i

function withoutCourtesy(text: string): string {
  let rest = text.trim()
  for (let before = ''; before !== rest; ) {
    before = rest
    for (const pattern of [GREETING, COURTESY, THANKS]) rest = rest.replace(pattern, '').trim() || rest
  }
  return rest
}

/** Verbs that begin a wish of their own, wherever they stand. */
const STRONG =
  "(?:please\\s+|also\\s+)?(?:add|create|delete|remove|erase|rename|reopen|re-open|remind\\s+me|reschedule|postpone|un-?complete|uncheck|how\\s+many|mark\\s+.+?\\s(?:as\\s|done|complete|finished|off)|show\\s+(?:me|my|all)|list\\s+(?:my|all)|complete\\s+(?:task|todo|number|#?\\d|it|the\\s+\\w+\\s+(?:one|task|todo))|what(?:['’]?s|\\s+is|\\s+are))"
/** Verbs that may as well begin a task: only after something that is no list of tasks to add. */
const WEAK = '(?:mark|complete|finish|move|show|list|set|tag|make|check\\s+off|tick\\s+off|push|change|cancel)'
const ADDS = /^(?:add|create|new|remind|remember|put|i\s+(?:need|have|must|should)|todo|task|don['’]?t\s+forget)\b/i

/** A full stop after "Dr" ends nothing, and what only says more about a task belongs to it. */
const SENTENCE_END =
  /\n+|;(?!\s*(?:with|prio|priority|p[123]|due|tags?|tagged|high|medium|low|urgent|by|on|at|today|tomorrow|next)\b|\s*#)\s*|(?<=[\p{L}\p{N}\ue000-\uf8ff)])(?<!\b(?:dr|mr|mrs|ms|prof|st|no|vs|jr|sr|inc|ltd|tel|apt|e\.g|i\.e|a\.m|p\.m))[.!?]+\s+(?=\S)/iu

export function splitClauses(masked: string): string[] {
  const sentences = withoutNumbers(masked)
    .split(SENTENCE_END)
    .map((sentence) => correctWords(withoutCourtesy(sentence)))
    .filter((sentence) => /[\p{L}\p{N}\p{Extended_Pictographic}\ue000-\uf8ff#?]/u.test(sentence))
  return sentences.flatMap(splitSentence).map((clause) => correctVerb(withoutCourtesy(clause)).trim())
}

/** "1. wash the car 2. cook": each on a line of its own, without its number. */
function withoutNumbers(text: string): string {
  const marks = [...text.matchAll(/(?<=^|[\s:,;])(\d{1,2})[.)]\s+(?=\S)/g)]
  if (marks.length < 2 || marks.some(([, number], index) => Number(number) !== index + 1)) return text
  let place = 0
  return text.replace(/(?<=^|[\s:,;])\d{1,2}[.)]\s+(?=\S)/g, () => (place++ === 0 ? '' : '\n'))
}

function splitSentence(sentence: string): string[] {
  const opening = correctVerb(sentence)
  const next =
    ADDS.test(opening) || !new RegExp(`^(?:${STRONG}|${WEAK}|close|reopen|delete|remove)\\b`, 'i').test(opening)
      ? STRONG
      : `(?:${STRONG}|${WEAK})`
  // "Then" begins something new for certain.
  const joint = new RegExp(
    `(?:\\s*,\\s*(?:and\\s+)?|\\s+and\\s+(?:also\\s+)?)(?=${next}\\b)|(?:\\s*,)?(?:\\s+and)?\\s+then\\s+(?=(?:${STRONG}|${WEAK})\\b)`,
    'i',
  )
  return opening.split(joint).filter((part) => part.trim() !== '')
}
