// The dependencies of chat alone: the model (if configured), its token budget, and confirmations.

import { createUserRate } from '../../shared/accounts/user-rates.ts'
import { makeTokenBudget } from '../../shared/conversations/usage.ts'
import type { Deps } from '../../shared/runtime/deps.ts'
import { type Env, ownIssuer } from '../../shared/runtime/env.ts'
import type { ChatDeps } from './app.ts'
import { createConfirmations } from './confirmations.ts'
import { type ChatLimits, chatLimits } from './limits.ts'
import { createModel } from './model.ts'

/** @throws EnvError */
export function createChatDeps(env: Env, deps: Deps, limits: ChatLimits = chatLimits): ChatDeps & Deps {
  const { OPENAI_API_KEY: apiKey, OPENAI_BASE_URL: baseUrl, OPENAI_MODEL: model, CHAT_TOKENS_PER_DAY: perDay } = env
  return {
    ...deps,
    limits,
    confirmations: createConfirmations(ownIssuer(env).keys, deps.clock),
    messageRate: createUserRate(deps, { name: 'chat_message', perMinute: env.CHAT_MESSAGES_PER_MINUTE, what: 'chat messages' }),
    budget: makeTokenBudget(deps, perDay),
    ask: apiKey === undefined ? undefined : createModel({ apiKey, baseUrl, model }, limits),
  }
}
