// Parses the expressions of alerts and dashboards with Prometheus' own grammar, in which a misspelt function name is a syntax error.
import { parser } from '@prometheus-io/lezer-promql'

/** Grafana replaces these with a duration before it queries Prometheus. */
const GRAFANA_DURATION = /\$__\w+/g

/** The first syntax error with its position; undefined when the expression parses. */
export function promqlProblem(expression: string): string | undefined {
  const query = expression.replace(GRAFANA_DURATION, '5m')
  const errors: string[] = []
  parser.parse(query).iterate({
    enter({ type, from, to }) {
      if (type.isError) errors.push(`syntax error at ${from}${to > from ? `: ${query.slice(from, to)}` : ''}`)
    },
  })
  return errors[0]
}
