// Step 7: from an intent to what is done about it. What a call needs is known before it runs: a reference that may mean several todos
// becomes a question, deleting more than one waits for a yes.
import { add } from './add.ts'
import { change, end, rename, update } from './change.ts'
import { today } from './dates.ts'
import type { Intent } from './intent.ts'
import { list } from './list.ts'
import { shifted } from './shifts.ts'
import { takeTags } from './slots.ts'
import type { Said, Scene } from './types.ts'
import { HELLO, HELP, NOTHING, NOTHING_PENDING, UNCLEAR, WELCOME } from './wording.ts'

/** Does what one clause wants, and returns what to say about it. */
export async function act(scene: Scene, intent: Intent, said: Said): Promise<string> {
  switch (intent.kind) {
    case 'help':
      return HELP
    case 'hello':
      return HELLO
    case 'thanks':
      return WELCOME
    case 'pending':
      return NOTHING_PENDING
    case 'nothing':
      return NOTHING
    case 'unclear':
      return UNCLEAR
    case 'add':
      return add(scene, intent.text, intent.many, said)
    case 'list':
    case 'count':
      return list(scene, intent.text, intent.kind === 'count', said)
    case 'complete':
    case 'reopen':
    case 'delete':
      return end(scene, intent, said)
    case 'rename':
      return rename(scene, said, intent.target, said.unmask(intent.title))
    case 'describe':
      return update(scene, said, intent.target, () => ({ description: said.unmask(intent.description) }), 'Noted it on')
    case 'clear':
      return update(scene, said, intent.target, () => ({
        [intent.field]: null,
        ...(intent.field === 'due_date' ? { due_time: null } : {}),
      }))
    case 'untag': {
      const gone = new Set(takeTags(/#/.test(intent.tags) ? intent.tags : intent.tags.replace(/^the\s+/i, '')).tags)
      return update(scene, said, intent.target, ({ tags }) => ({ tags: tags.filter((tag) => !gone.has(tag)) }))
    }
    case 'shift': {
      const base = today(scene.moment.now, scene.moment.zone)
      return update(scene, said, intent.target, (todo) => shifted(todo, intent.by, base))
    }
    case 'change':
      return change(scene, intent.text, intent.weak ?? false, said)
  }
}
