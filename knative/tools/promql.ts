// Does the expression of an alert or a dashboard parse? Asks Prometheus' own grammar; a typo in a function's name is a syntax error there.
import { parser } from '@prometheus-io/lezer-promql'

/** Grafana replaces these by a duration before it asks Prometheus. */
const GRAFANA_DURATION = /\$__\w+/g

/** The first syntax error with its position; undefined when the expression parses. */
export function promqlProblem(expression: string): string | undefined {
  const asked = expression.replace(GRAFANA_DURATION, '5m')
  const errors: string[] = []
  parser.parse(asked).iterate({
    enter({ type, from, to }) {
      if (type.isError) errors.push(`syntax error at ${from}${to > from ? `: ${asked.slice(from, to)}` : ''}`)
    },
  })
  return errors[0]
}
