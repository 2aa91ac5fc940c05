// Does an alert's or a dashboard's expression parse? PromQL without its types: a typo in a name it knows, a bracket or a selector is found.

const TOKEN =
  /\s*(?:(\d+(?:\.\d+)?(?:ms|[smhdwy])(?:\d+(?:ms|[smhdwy]))*|\$__\w+)|(\d+(?:\.\d+)?(?:e[+-]?\d+)?)|("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|([a-zA-Z_][\w:]*)|(==|!=|>=|<=|=~|!~|[-+*/%^<>=(){}[\],:@]))/y
type Kind = 'duration' | 'number' | 'string' | 'word' | 'sign' | 'end'
type Token = { kind: Kind; text: string }

const AGGREGATIONS = new Set('sum avg min max count group stddev stdvar topk bottomk quantile count_values'.split(' '))
const FUNCTIONS = new Set(
  `abs absent absent_over_time avg_over_time ceil changes clamp clamp_max clamp_min count_over_time day_of_week delta deriv exp floor
   histogram_quantile hour idelta increase irate label_join label_replace last_over_time ln log10 log2 max_over_time min_over_time
   quantile_over_time rate resets round scalar sgn sort sort_desc sqrt sum_over_time time timestamp vector`.split(/\s+/),
)
const OPERATORS = new Set('+ - * / % ^ == != > < >= <= and or unless'.split(' '))

/** Why it does not parse; undefined when it does. */
export function promqlProblem(expression: string): string | undefined {
  try {
    const parser = new Parser(tokensOf(expression))
    parser.expression()
    parser.expect('end')
    return undefined
  } catch (error) {
    if (error instanceof SyntaxError) return error.message
    throw error
  }
}

function tokensOf(expression: string): Token[] {
  const tokens: Token[] = []
  TOKEN.lastIndex = 0
  while (TOKEN.lastIndex < expression.trimEnd().length) {
    const at = TOKEN.lastIndex
    const match = TOKEN.exec(expression)
    if (!match) throw new SyntaxError(`cannot read ${expression.slice(at).trim().slice(0, 20)}`)
    const [, duration, number, string, word, sign] = match
    if (duration !== undefined) tokens.push({ kind: 'duration', text: duration })
    else if (number !== undefined) tokens.push({ kind: 'number', text: number })
    else if (string !== undefined) tokens.push({ kind: 'string', text: string })
    else if (word !== undefined) tokens.push({ kind: 'word', text: word })
    else tokens.push({ kind: 'sign', text: sign ?? '' })
  }
  return tokens
}

class Parser {
  readonly #tokens: Token[]
  #at = 0

  constructor(tokens: Token[]) {
    this.#tokens = tokens
  }

  get #next(): Token {
    return this.#tokens[this.#at] ?? { kind: 'end', text: 'the end' }
  }

  #take(...texts: string[]): boolean {
    const taken = this.#next.kind !== 'string' && texts.includes(this.#next.text)
    if (taken) this.#at += 1
    return taken
  }

  expect(kind: Kind, text?: string): string {
    const { kind: found, text: word } = this.#next
    if (found !== kind || (text !== undefined && word !== text)) throw new SyntaxError(`${word} where ${text ?? kind} should be`)
    this.#at += 1
    return word
  }

  expression(): void {
    this.#operand()
    while (this.#take(...OPERATORS)) {
      this.#take('bool')
      if (this.#take('on', 'ignoring')) {
        this.#labels()
        if (this.#take('group_left', 'group_right') && this.#next.text === '(') this.#labels()
      }
      this.#operand()
    }
  }

  #operand(): void {
    this.#take('-', '+')
    if (this.#take('(')) {
      this.expression()
      this.expect('sign', ')')
    } else if (this.#next.kind === 'number' || this.#next.kind === 'string') this.#at += 1
    else if (this.#next.text === '{') this.#selector()
    else this.#named(this.expect('word'))
    this.#suffix()
  }

  #named(name: string): void {
    if (AGGREGATIONS.has(name)) {
      const before = this.#take('by', 'without')
      if (before) this.#labels()
      this.#arguments()
      if (!before && this.#take('by', 'without')) this.#labels()
    } else if (this.#next.text === '(') {
      if (!FUNCTIONS.has(name)) throw new SyntaxError(`${name} is no function`)
      this.#arguments()
    } else if (this.#next.text === '{') this.#selector()
  }

  #suffix(): void {
    while (this.#take('[')) {
      this.expect('duration')
      if (this.#take(':') && this.#next.kind === 'duration') this.expect('duration')
      this.expect('sign', ']')
    }
    if (this.#take('offset')) this.expect('duration')
  }

  #list(open: string, close: string, item: () => void): void {
    this.expect('sign', open)
    while (!this.#take(close)) {
      item()
      if (this.#next.text !== close) this.expect('sign', ',')
    }
  }

  #arguments(): void {
    this.#list('(', ')', () => this.expression())
  }

  #labels(): void {
    this.#list('(', ')', () => this.expect('word'))
  }

  #selector(): void {
    this.#list('{', '}', () => {
      this.expect('word')
      if (!this.#take('=', '!=', '=~', '!~')) throw new SyntaxError(`${this.#next.text} where a comparison should be`)
      this.expect('string')
    })
  }
}
