// Adds a span for each model request to a traced request.
import type { RequestSpan } from '../../shared/http/trace.ts'
import type { AskModel } from './model.ts'

export function tracedModel(ask: AskModel, request: RequestSpan | undefined): AskModel {
  if (!request) return ask
  return async (question) => {
    // https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
    const end = request.call('chat', { 'gen_ai.operation.name': 'chat' })
    try {
      const answer = await ask(question)
      end()
      return answer
    } catch (error) {
      end(error)
      throw error
    }
  }
}
