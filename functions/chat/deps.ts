// What only this function needs: the model, if there is one, its budget, and confirmations.
import type { Deps } from '../../shared/deps.ts'
import { type Env, ownIssuer } from '../../shared/env.ts'
import { makeConfirmations } from '../../shared/identity/confirmations.ts'
import { createUserRate } from '../../shared/identity/user-rates.ts'
import type { ChatDeps } from './app.ts'
import { type ChatLimits, chatLimits } from './limits.ts'
import { createModel } from './model.ts'
import { makeTokenBudget } from './usage.ts'

/** @throws EnvError */
export function makeChatDeps(env: Env, deps: Deps, limits: ChatLimits = chatLimits): ChatDeps {
  const { OPENAI_API_KEY: apiKey, OPENAI_BASE_URL: baseUrl, OPENAI_MODEL: model, CHAT_TOKENS_PER_DAY: perDay } = env
  return {
    ...deps,
    limits,
    confirmations: makeConfirmations(ownIssuer(env).keys, deps.clock),
    messageRate: createUserRate(deps, { name: 'chat_message', perMinute: env.CHAT_MESSAGES_PER_MINUTE, what: 'chat messages' }),
    budget: makeTokenBudget(deps, perDay),
    ask: apiKey === undefined ? undefined : createModel({ apiKey, baseUrl, model }, limits),
  }
}
