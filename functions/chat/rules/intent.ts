// Step 4: what a clause wants. Patterns from the particular to the general; what no pattern claims is something to do.
import type { Shift } from './shifts.ts'

export type Intent =
  | { kind: 'add'; text: string; many: boolean }
  | { kind: 'list' | 'count'; text: string }
  | { kind: 'complete' | 'reopen' | 'delete'; target: string /** May as well be something to do. */; weak?: boolean }
  | { kind: 'rename'; target: string; title: string }
  | { kind: 'describe'; target: string; description: string }
  | { kind: 'change'; text: string; weak?: boolean }
  | { kind: 'untag'; target: string; tags: string }
  | { kind: 'clear'; target: string; field: Field }
  | { kind: 'shift'; target: string; by: Shift }
  /** `pending` answers a question that may not have been asked. */
  | { kind: 'help' | 'hello' | 'thanks' | 'pending' | 'nothing' | 'unclear' }
export type Field = 'due_date' | 'due_time' | 'priority' | 'tags' | 'description'

const NOUN = '(?:tasks?|todos?|to-?dos?|items?|reminders?|things|stuff|entr(?:y|ies)|list|agenda|schedule|tags?)'
const DONE = '(?:done|complete|completed|finished|ready|closed)'
const OPEN =
  '(?:not\\s+(?:done|complete|completed|finished)(?:\\s+yet)?|undone|incomplete|uncompleted|pending|open|unfinished|to-?do|active|outstanding)'
const AMOUNT = '(an?|one|two|three|four|five|six|seven|eight|nine|ten|\\d{1,3})\\s+(?:more\\s+)?(hour|day|week|month)s?'
const DIRECTION = '(earlier|sooner|later)'
const MOVES =
  '(?:move|push|postpone|delay|shift|bump|defer|snooze|put|bring|pull|reschedule|make|set|change)\\s+(?:(?:the\\s+)?(?:due\\s*date|deadline|date)\\s+(?:of|for)\\s+)?'
const FIELD = '(due\\s*dates?|deadline|date|due|time|priority|prio|tags?|description|notes?)'
const STATE =
  "(?:all|my|the|open|pending|outstanding|remaining|unfinished|incomplete|overdue|late|completed|finished|done|today['’]?s?|tomorrow['’]?s?|(?:this|next)\\s+week['’]?s?|(?:high|medium|low)[\\s-]+prio(?:rity)?|urgent|important|p[123]|due|everything|#[\\p{L}\\p{N}_-]+)"

/** What needs no answer of substance, as a whole clause or a few of them. */
const SMALL_TALK =
  'thanks?(?: you| a lot| so much)*|thx|ty|cheers|cool|perfect|awesome|amazing|excellent|wonderful|brilliant|wow|yay|congrats|ok|okay|okey|sure|fine|right|correct|' +
  'absolutely|definitely|of course|(?:great|good|nice)(?: job| work| one| night)?|goodnight|gn|well(?: done)?|alright|all (?:right|good)|sounds? (?:good|great)|' +
  'looks? good|love it|got it|i see|understood|interesting|whatever|no (?:worries|problem)|np|not now|maybe later|sorry(?: about that)?|my bad|oops|whoops|' +
  'wait|never ?mind|nvm|nm|bye(?: bye)?|goodbye|see (?:you|ya)(?: later| soon| tomorrow)?|take care|have a (?:good|great|nice) (?:day|evening|night|weekend|one)|' +
  "you['’]?re welcome|lol|lmao|rofl|(?:ha){2,}h?|hehe|hm+|um+|uh+|oh|ah|aha|so|just|also|then|(?:(?:that|this)(?:['’]?s| is| was| will be|['’]ll be) (?:all|it|everything)|" +
  'nothing(?: else| more)?)(?: for (?:now|today))?'
/** A yes, a no or a choice, as it answers a question. */
const ANSWER =
  '(?:yes|yep|yeah|yup|y|no|nope|nah|n|cancel|stop|do it|go (?:ahead|on|for it)|please do|proceed|confirm(?:ed)?|neither(?: of them)?|none(?: of them)?|both(?: of them)?)(?:[\\s,]+(?:please|thanks|thank you))?'

type Rule = [pattern: RegExp, make: (groups: readonly string[]) => Intent]
const re = (source: string) => new RegExp(source, 'iu')

const RULES: readonly Rule[] = [
  [
    re(
      '^(?:help|commands?|what can (?:you|i) (?:do|say)|how does (?:this|it) work|how do (?:i|you) .*|what do you do|who are you|usage)[?!.]*$',
    ),
    () => ({ kind: 'help' }),
  ],
  [
    re("^(?:hi|hello|hey|yo|good (?:morning|afternoon|evening)|how are you(?: doing)?|what['’]?s up)(?: there)?[?!.]*$"),
    () => ({ kind: 'hello' }),
  ],
  [re(`^(?:${SMALL_TALK})(?:[\\s,.!]+(?:${SMALL_TALK})){0,3}[\\s.!]*$`), () => ({ kind: 'thanks' })],
  [re(`^(?:${ANSWER})[\\s.!]*$`), () => ({ kind: 'pending' })],
  [
    re(
      "^(?:don['’]?t|do not|never)\\s+(?:add|create|delete|remove|erase|clear|complete|finish|mark|rename|move|change|reopen|touch|do)\\b",
    ),
    () => ({ kind: 'nothing' }),
  ],
  // Half a yes: what is taken out of it has to be said again.
  [re('^(?:yes|sure|but|except)\\b'), () => ({ kind: 'unclear' })],
  [re('^(?:should|shall|must|would|could|may|might|does)\\s+(?:i|we|it|there|you)\\b'), () => ({ kind: 'unclear' })],
  [re('^(?:tell me\\s+|do you know\\s+|i want to know\\s+)?how (?:many|much)\\b(.*)$'), ([text = '']) => ({ kind: 'count', text })],
  [
    re("^(?:give me\\s+|what['’]?s\\s+|what is\\s+)?(?:the\\s+)?(?:count|total|number)(?:\\s+of)?\\s+(.*)$"),
    ([text = '']) => ({ kind: 'count', text }),
  ],

  [
    re(`^(?:is|are|was|were)\\s+(.+?)\\s+(?:already\\s+)?${DONE}(?:\\s+(?:yet|already))?$`),
    ([text = '']) => ({ kind: 'list', text: `all ${text}` }),
  ],
  [
    re('^(?:did i|have i)\\s+(?:already\\s+)?\\w+\\s+(.+?)(?:\\s+(?:yet|already))?$'),
    ([text = '']) => ({ kind: 'list', text: `all ${text}` }),
  ],
  [
    re(
      '^what\\s+(?:did|have)\\s+i\\s+(?:just\\s+|already\\s+|actually\\s+)?(?:do|done|finish|finished|complete|completed|accomplish|accomplished)\\b(.*)$',
    ),
    ([text = '']) => ({ kind: 'list', text: `completed ${text}` }),
  ],
  [re('^undo$'), () => ({ kind: 'reopen', target: 'it' })],
  [
    re('^(?:reopen|re-open|uncheck|untick|un-?complete|unfinish|reactivate|undo|unmark)\\s+(.+)$'),
    ([target = '']) => ({ kind: 'reopen', target }),
  ],
  [
    re(`^(?:mark|set|move|put|change|flag|make|turn)(?:ing)?\\s+(.+?)\\s+(?:back\\s+)?(?:(?:as|to|into)\\s+)?${OPEN}(?:\\s+again)?$`),
    ([target = '']) => ({ kind: 'reopen', target }),
  ],
  [
    re(
      `^(.+?)\\s+(?:(?:is|are|was|were)\\s+not|isn['’]?t|aren['’]?t|wasn['’]?t)\\s+(?:actually\\s+|really\\s+)?${DONE}(?:\\s+yet|\\s+after all)?$`,
    ),
    ([target = '']) => ({ kind: 'reopen', target }),
  ],
  [
    re(
      "^i\\s+(?:have\\s*n[o'’]?t|haven['’]?t|did\\s*n[o'’]?t|didn['’]?t)\\s+(?:actually\\s+|really\\s+)?(?:finish|complete|do|done)(?:e?d)?\\s+(.+?)(?:\\s+yet|\\s+after all)?$",
    ),
    ([target = '']) => ({ kind: 'reopen', target }),
  ],

  [
    re(`^(?:remove|clear|delete|drop|unset|erase|take)\\s+(?:the\\s+|its\\s+|all\\s+)?${FIELD}\\s+(?:from|of|on|for|off)\\s+(.+)$`),
    ([field = '', target = '']) => ({ kind: 'clear', target, field: fieldOf(field) }),
  ],
  [
    re(
      '^(?:remove|delete|drop|take)\\s+((?:(?:the\\s+)?tags?\\s+[\\p{L}\\p{N}_#, -]+?)|#[\\p{L}\\p{N}_-]+(?:(?:\\s*,\\s*|\\s+and\\s+|\\s+)#[\\p{L}\\p{N}_-]+)*)\\s*(?:from|off|on)\\s+(.+)$',
    ),
    ([tags = '', target = '']) => ({ kind: 'untag', target, tags }),
  ],
  [
    re('^untag\\s+([\\p{L}\\p{N}_-]+)\\s+(?:from|on|off)\\s+(?!#)(.+)$'),
    ([tag = '', target = '']) => ({ kind: 'untag', target, tags: `#${tag}` }),
  ],
  [re('^untag\\s+(.+?)\\s+(?:from|as|with)?\\s*(#[\\p{L}\\p{N}_-]+)$'), ([target = '', tags = '']) => ({ kind: 'untag', target, tags })],

  [
    re(
      `^(?:mark|set|check|tick|cross|flag|put|move|change|make)(?:ing)?\\s+(.+?)\\s+(?:off\\s+)?(?:(?:as|to)\\s+)?(?:being\\s+)?${DONE}(?:\\s+now)?$`,
    ),
    ([target = '']) => ({ kind: 'complete', target }),
  ],
  [re(`^(?:mark|flag|set)(?:ing)?\\s+(?:as\\s+)?${DONE}\\s*:?\\s+(.+)$`), ([target = '']) => ({ kind: 'complete', target })],
  [re('^(?:check|tick|cross|strike)(?:ing)?\\s+off\\s+(.+)$'), ([target = '']) => ({ kind: 'complete', target })],
  [
    re('^(?:check|tick|cross|strike)(?:ed|ing)?\\s+(.+?)\\s+off(?:\\s+(?:of\\s+)?(?:my|the)\\s+list)?$'),
    ([target = '']) => ({ kind: 'complete', target }),
  ],
  [re('^(?:complete|completing)\\s+(.+)$'), ([target = '']) => ({ kind: 'complete', target, weak: true })],
  [re('^(?:finish|finishing|close|closing)\\s+(.+)$'), ([target = '']) => ({ kind: 'complete', target, weak: true })],
  [
    re(
      '^(?:just\\s+|already\\s+)?(?:bought|called|paid|wrote|sent|booked|watered|cleaned|washed|fixed|cooked|ordered|submitted|emailed)\\s+(.+)$',
    ),
    ([target = '']) => ({ kind: 'complete', target }),
  ],
  [
    re("^i\\s+(?:don['’]?t|do not|no longer)\\s+need\\s+(?!to\\b)(.+?)(?:\\s+any\\s?more)?$"),
    ([target = '']) => ({ kind: 'delete', target }),
  ],
  [
    re(
      "^(?:i(?:\\s+have|['’]?ve|\\s+am|['’]?m)?\\s+(?:just\\s+|already\\s+|finally\\s+|all\\s+)?(?:finished|completed|done|did)|(?:all\\s+)?done|finished|completed|did)(?:\\s+with)?\\s*:?\\s+(.+)$",
    ),
    ([target = '']) => ({ kind: 'complete', target }),
  ],
  [
    re(
      `^(?!(?:delete|remove|clear|erase|show|list|what|which|everything)\\b)(.+?)\\s+(?:is|are|was|were|has been|have been|['’]s)\\s+(?:now\\s+|all\\s+|already\\s+|finally\\s+)?(?:${DONE}|taken care of|paid|bought|sent|booked|fixed|ordered|called|emailed|cleaned|washed|submitted|returned|renewed|written)(?:\\s+now)?$`,
    ),
    ([target = '']) => ({ kind: 'complete', target }),
  ],
  [re("^(?:that['’]?s|it['’]?s|this is|thats|its)\\s+(?:done|finished|complete)$|^done$"), () => ({ kind: 'complete', target: 'it' })],
  [
    re(
      `^(?!(?:get|have|my|all|show|list|what|which|how|any|the|is|are|count|tasks|todos|delete|remove|clear|erase|reopen|rename|add)\\b)(\\S+(?:\\s+\\S+){0,5}?)\\s+(?:done|finished|completed)$`,
    ),
    ([target = '']) => ({ kind: 'complete', target, weak: true }),
  ],

  [
    re(
      "^i(?:(?:\\s+have|['’]ve)(?!\\s+got\\b))?\\s+(?:just\\s+|already\\s+|finally\\s+)?(?:bought|called|paid|wrote|sent|booked|watered|cleaned|washed|read|made|got|took|fixed|cooked|ordered|returned|picked up|submitted|emailed|mailed|visited|cancelled)\\s+(.+)$",
    ),
    ([target = '']) => ({ kind: 'complete', target }),
  ],
  [
    re("^(?:change|update|edit|set)\\s+(.+?)(?:['’]s)?\\s+(?:title|name)\\s+(?:to|as|into)\\s+(.+)$"),
    ([target = '', title = '']) => ({ kind: 'rename', target, title }),
  ],
  [
    re('^(?:rename|retitle|reword|renaming)\\s+(.+?)\\s+(?:to|as|into|->|=>|→)\\s+(.+)$'),
    ([target = '', title = '']) => ({ kind: 'rename', target, title }),
  ],
  [
    re('^(?:change|update|edit|set)\\s+(?:the\\s+)?(?:title|name|text)\\s+(?:of|for)\\s+(.+?)\\s+(?:to|as|into)\\s+(.+)$'),
    ([target = '', title = '']) => ({ kind: 'rename', target, title }),
  ],
  [
    re(
      '^(?:add|set|change|attach|put)\\s+(?:the\\s+|an?\\s+)?(?:notes?|description)\\s+(?:to|of|for|on)\\s+(.+?)\\s*(?::|\\bto\\b|\\bsaying\\b|\\bthat says\\b)\\s*(.+)$',
    ),
    ([target = '', description = '']) => ({ kind: 'describe', target, description }),
  ],

  // "Move it one day earlier", "it is due two days later": from where it is, and not from today.
  [
    re(`^${MOVES}(.+?)\\s+(?:(?:due|by|to|be|for|another)\\s+)*${AMOUNT}\\s+${DIRECTION}$`),
    ([target = '', count = '', unit = '', direction = '']) => ({ kind: 'shift', target, by: shiftBy(count, unit, direction) }),
  ],
  [
    re(`^${MOVES}(.+?)\\s+${DIRECTION}\\s+by\\s+${AMOUNT}$`),
    ([target = '', direction = '', count = '', unit = '']) => ({ kind: 'shift', target, by: shiftBy(count, unit, direction) }),
  ],
  [
    re(`^(?:bring|pull)\\s+(?:forward\\s+)?(.+?)\\s+(?:forward\\s+)?(?:by\\s+)?${AMOUNT}(?:\\s+forward)?$`),
    ([target = '', count = '', unit = '']) => ({ kind: 'shift', target, by: shiftBy(count, unit, 'earlier') }),
  ],
  [
    re(`^(.+?)\\s+(?:is|are)\\s+(?:now\\s+)?due\\s+${AMOUNT}\\s+${DIRECTION}$`),
    ([target = '', count = '', unit = '', direction = '']) => ({ kind: 'shift', target, by: shiftBy(count, unit, direction) }),
  ],
  [
    re(
      `^(?:move|push|postpone|delay|shift|bump|defer|snooze|put\\s+off)\\s+(?:back\\s+|off\\s+)?(.+?)\\s+(?:back\\s+)?(?<!\\b(?:in|to|until|till|next)\\s)(?:(?:by|for|another)\\s+)*${AMOUNT}$`,
    ),
    ([target = '', count = '', unit = '']) => ({ kind: 'shift', target, by: shiftBy(count, unit, 'today') }),
  ],
  [
    re(
      '^(?:move|moving|reschedule|rescheduling|postpone|postponing|push(?:\\s+back)?|delay|shift|bump|defer|put\\s+off|bring\\s+forward|snooze)\\s+(.+)$',
    ),
    ([text = '']) => ({ kind: 'change', text }),
  ],
  [
    re(`^(?:change|update|edit|set|make|adjust)\\s+(?:the\\s+)?${FIELD}\\s+(?:of|for|on)\\s+(.+)$`),
    ([field = '', text = '']) => ({
      kind: 'change',
      text: /prio/i.test(field) ? text.replace(/\s+(?:to|as|=)\s+(high|medium|low|normal|p?[123])$/i, ' priority $1') : text,
    }),
  ],
  [
    re('^(?:set|give|assign)\\s+(?!me\\b)(.+?)\\s+(?:an?\\s+)?((?:(?:high|medium|low|top)\\s+prio(?:rity)?|(?:due date|deadline)).*)$'),
    ([target = '', text = '']) => ({ kind: 'change', text: `${target} ${text.replace(/^(?:due date|deadline)(?:\s+of)?/i, '')}` }),
  ],
  [
    re(
      `^(?:add|create|new|insert|make|adding|creating|set(?: up)?|start|another)\\s+(?:me\\s+)?(?:(?:an?|the|another|some|two|three|four|five|\\d+)\\s+)?(?:new\\s+)?(?:following\\s+)?(tasks?|todos?|to-?dos?|items?|reminders?|notes?|entr(?:y|ies))\\b\\s*(?:(?:to|for|:|-|called|named|titled|saying|that says|about)\\s*)*(.+)$`,
    ),
    ([noun = '', text = '']) => ({ kind: 'add', text, many: /s$/i.test(noun) }),
  ],
  [
    re('^(?:make|mark|set|flag)\\s+(.+?)\\s+(?:as\\s+|to\\s+)?(?:an?\\s+)?(?:very\\s+)?(?:urgent|important)$'),
    ([text = '']) => ({ kind: 'change', text: `${text} p1` }),
  ],
  [re('^(?:make|update|edit|set)\\s+(.+)$'), ([text = '']) => ({ kind: 'change', text, weak: true })],
  [re('^(?:change|mark|flag|raise|lower)\\s+(.+)$'), ([text = '']) => ({ kind: 'change', text })],
  [re('^(?:prioriti[sz]e)\\s+(.+)$'), ([text = '']) => ({ kind: 'change', text: `${text} p1` })],
  [re('^(?:depriorit?i[sz]e)\\s+(.+)$'), ([text = '']) => ({ kind: 'change', text: `${text} p3` })],
  [
    re('^(?:tag|label)\\s+(.+?)\\s+(?:with|as|under)\\s+(.+)$'),
    ([target = '', tags = '']) => ({ kind: 'change', text: `${target} tagged ${tags}` }),
  ],
  [re('^(?:tag|label)\\s+(.+?)\\s+(#\\S+(?:\\s+#\\S+)*)$'), ([target = '', tags = '']) => ({ kind: 'change', text: `${target} ${tags}` })],
  [re('^(?:tag|label)\\s+(.+)\\s+([\\p{L}\\p{N}_-]+)$'), ([target = '', tag = '']) => ({ kind: 'change', text: `${target} #${tag}` })],
  [
    re(
      '^(?:add|put|attach)\\s+(#[\\p{L}\\p{N}_-]+(?:(?:\\s*,\\s*|\\s+and\\s+|\\s+)#[\\p{L}\\p{N}_-]+)*|(?:the\\s+)?tags?\\s+[\\p{L}\\p{N}_#, -]+?)\\s*(?:to|on)\\s+(.+)$',
    ),
    ([tags = '', target = '']) => ({ kind: 'change', text: `${target} ${tags.replace(/,|\band\b/gi, ' ')}` }),
  ],
  [
    re(
      '^(?!(?:what|which|who|when|how|any|every|some|is|are|all)(?:thing)?\\b)(.+?)\\s+(?:is|are)\\s+(?:now\\s+)?((?:due|at \\d|on \\w+day|tomorrow|today|urgent|important|(?:high|medium|low)\\s+prio).*)$',
    ),
    ([target = '', text = '']) => ({ kind: 'change', text: `${target} ${/^(?:urgent|important)/i.test(text) ? 'p1' : text}`, weak: true }),
  ],

  [
    re(
      '^(?:delete|deleting|remove|removing|erase|erasing|trash|discard|get rid of|getting rid of)\\s+(.+?)(?:\\s+from\\s+(?:my|the)\\s+(?:list|todos?|tasks?))?$',
    ),
    ([target = '']) => ({ kind: 'delete', target }),
  ],
  [re('^take\\s+(.+?)\\s+off(?:\\s+(?:of\\s+)?(?:my|the)\\s+(?:list|todos?))?$'), ([target = '']) => ({ kind: 'delete', target })],
  [
    re('^(?:clear|purge|wipe|drop|cancel|scrap|kill|forget(?:\\s+about)?|throw\\s+(?:away|out))\\s+(.+)$'),
    ([target = '']) => ({ kind: 'delete', target, weak: true }),
  ],

  [re('^(?:show|list|display|print|showing|listing)(?:\\s+(.*))?$'), ([text = '']) => ({ kind: 'list', text })],
  [
    re(
      `^(?:see|view|get|give|read|fetch|check|find|search|look|tell)\\b(?:\\s+(?:me|for|up|through|at|out))*((?:\\s.*)?\\b${NOUN}\\b.*|\\s+(?:everything|all)\\b.*)$`,
    ),
    ([text = '']) => ({ kind: 'list', text }),
  ],
  [
    re(
      '^((?:tasks|todos|to-?dos|items|reminders)\\s+(?:due|for|tagged|with|about|that|which|from|left|in|on|this|next|containing|matching|by)\\b.*)$',
    ),
    ([text = '']) => ({ kind: 'list', text }),
  ],
  [
    re('^(?:(?:#|no\\.?\\s*|number\\s+)?\\d{1,3}|(?:the\\s+)?(?:first|second|third|last|\\d{1,2}(?:st|nd|rd|th))(?:\\s+one)?)$'),
    ([_ = '']) => ({ kind: 'list', text: '' }),
  ],
  [re('^(?:tell me|more)\\s+about\\s+(.+)$'), ([text = '']) => ({ kind: 'list', text: `all ${text}` })],
  [re('^find\\s+(?!an?\\b)(.+)$'), ([text = '']) => ({ kind: 'list', text })],
  [re('^search\\s+(?:for\\s+)?(.+)$'), ([text = '']) => ({ kind: 'list', text })],
  [
    re(
      `^(?:what(?:['’]?s|\\s+is|\\s+are|\\s+do|\\s+did|\\s+have|\\s+should|\\s+tasks?|\\s+todos?|\\s+else)?|which|is there|are there|any|anything|do i have|have i got|am i|did i|when)\\b(.*\\b(?:${NOUN}|due|today|tomorrow|tonight|overdue|late|pending|left|to do|do|completed?|finish(?:ed)?|plate|open|done|week|month|day|next|priority|urgent|up|planned|about|remaining|behind|weekend|(?:mon|tues|wednes|thurs|fri|satur|sun)day)\\b.*|.*#.*)$`,
    ),
    ([text = '']) => ({ kind: 'list', text }),
  ],
  [
    re(`^(?:${STATE}(?:\\s+|$))*(?:${NOUN})?(?:\\s+(?:for\\s+)?(?:today|tomorrow|this week|next week|please))?[?]?$`),
    (_) => ({ kind: 'list', text: '' }),
  ],

  [re('^(?:add|create|new|insert|adding|creating)\\s*:?\\s+(.+)$'), ([text = '']) => ({ kind: 'add', text, many: false })],
  [
    re(`^put\\s+(.+?)\\s+(?:on|onto|in|into)\\s+(?:my|the)\\s+(?:to-?do\\s+)?${NOUN}(.*)$`),
    ([text = '', more = '']) => ({ kind: 'add', text: text + more, many: false }),
  ],
  [
    re('^put\\s+(.+?)\\s+down\\s+((?:for|on|at)\\b.*)$'),
    ([text = '', more = '']) => ({ kind: 'add', text: `${text} ${more}`, many: false }),
  ],
  [
    re(
      "^(?:remind me|remember|don['’]?t (?:let me )?forget|make sure(?: i)?|note to self|jot(?: down)?|note(?: down)?|write down|take (?:a )?note|make a note)\\s*(?:to\\b|about\\b|that\\b|of\\b|:|,)?\\s*(?:i (?:have|need) to\\s+)?(.+)$",
    ),
    ([text = '']) => ({ kind: 'add', text, many: false }),
  ],
  [
    re(
      "^(?:(?:i|we)(?:\\s+|(?=['’])))?(?:really\\s+|also\\s+|still\\s+)?(?:need|have(?:\\s+got)?|got|ought|want|wanna|gotta|must|should|['’]ve got)\\s+(?:not\\s+forget\\s+)?(?:to\\s+)?(?:remember to\\s+)?(.+)$",
    ),
    ([text = '']) => ({ kind: 'add', text, many: false }),
  ],
  [re('^(?:todos?|to-?dos?|tasks?|reminders?|note|memo)\\s*[:-]\\s*(.+)$'), ([text = '']) => ({ kind: 'add', text, many: false })],
  [re('^schedule\\s+(.+)$'), ([text = '']) => ({ kind: 'add', text, many: false })],
  [re("^when(?:['’]s|\\s+is|\\s+are)\\s+(.+)$"), ([text = '']) => ({ kind: 'list', text: `all ${text}` })],
  [re('^(?:(?:who|why|how|where|what|when|tell me|are you|do you|you)\\b.*)$'), () => ({ kind: 'unclear' })],
  [re('^(?:delete|remove|complete|rename|add|create|change|move|mark|reopen|tag|finish|clear)$'), () => ({ kind: 'help' })],
]

export function intentOf(clause: string): Intent {
  const text = clause.trim().replace(/[\s.!]+$/u, '')
  const bare = text.replace(/[\s?.!]+$/u, '')
  if (bare === '') return { kind: 'help' }
  for (const [pattern, make] of RULES) {
    const match = pattern.exec(bare)
    if (!match) continue
    const intent = make(match.slice(1).map((group) => group ?? ''))
    // A bare description of a list ("overdue", "#home") is the list's own text.
    return intent.kind === 'list' && intent.text === '' ? { kind: 'list', text: bare } : withEmphasis(intent, clause)
  }
  return text.endsWith('?') ? { kind: 'unclear' } : withEmphasis({ kind: 'add', text: bare, many: false }, clause)
}

/** "call the plumber!!!" */
function withEmphasis(intent: Intent, clause: string): Intent {
  return intent.kind === 'add' && /!{3}\s*$/.test(clause) ? { ...intent, text: `${intent.text} !high` } : intent
}

function shiftBy(count: string, unit: string, direction: string): Shift {
  const units = ['hour', 'day', 'week', 'month'] as const
  const sign = /^(?:later|today)$/i.test(direction) ? 1 : -1
  const found = units.find((name) => name === unit.toLowerCase()) ?? 'day'
  return { count: sign * countOf(count), unit: found, from: direction === 'today' ? 'today' : 'due' }
}

function countOf(word: string): number {
  const place = ['one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten'].indexOf(word.toLowerCase())
  return place >= 0 ? place + 1 : Number(word) || 1
}

function fieldOf(name: string): Field {
  if (/^prio/i.test(name)) return 'priority'
  if (/^tag/i.test(name)) return 'tags'
  if (/^(?:desc|note)/i.test(name)) return 'description'
  return /^time/i.test(name) ? 'due_time' : 'due_date'
}
