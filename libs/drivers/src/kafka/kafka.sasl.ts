import { createRequire } from 'node:module'
import type { SASLMechanismOptionsMap, SASLOptions } from 'kafkajs'
import { failedWith } from '../outcomes.js'
import { JudgedError } from './kafka.outcome.js'

/** How a destination logs in. `token` is asked for each connection; it keeps tokens by itself. */
export type Login =
  | {
      readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
      readonly username: string
      readonly password: string
    }
  | { readonly mechanism: 'oauthbearer'; readonly token: () => Promise<string> }

/** `response` reads the broker's answer; PLAIN and OAUTHBEARER of kafkajs look at none. */
interface Step {
  readonly request: unknown
  readonly response?: { decode(bytes: unknown): Promise<unknown>; parse(bytes: unknown): Promise<unknown> }
}
type Exchange = (step: Step) => Promise<unknown>
interface Arguments {
  readonly saslAuthenticate: Exchange
}
interface Authenticator {
  authenticate(): Promise<void>
}
type Provider = (args: Arguments) => Authenticator

/** kafkajs's own, which it exports to nobody. */
const FILES = {
  plain: 'plain',
  'scram-sha-256': 'scram256',
  'scram-sha-512': 'scram512',
  oauthbearer: 'oauthBearer',
} as const

/**
 * kafkajs reports everything that goes wrong during a login as refused credentials, also a connection that broke and a
 * broker that was slow, and keeps of the reason its text only. This gives the reason itself.
 */
export function saslOptions(login: Login): SASLOptions {
  const require = createRequire(import.meta.url)
  const { mechanism } = login
  const providerOf = require(`kafkajs/src/broker/saslAuthenticator/${FILES[mechanism]}`) as (
    sasl: unknown,
  ) => Provider
  const options: SASLMechanismOptionsMap[keyof SASLMechanismOptionsMap] =
    mechanism === 'oauthbearer'
      ? { oauthBearerProvider: async () => ({ value: await login.token() }) }
      : { username: login.username, password: login.password }
  const inner = providerOf({ mechanism, ...options })
  const authenticationProvider: Provider = (args) =>
    keepReason(
      inner,
      mechanism === 'oauthbearer' ? { ...args, saslAuthenticate: refusing(args.saslAuthenticate) } : args,
    )
  return { mechanism, ...options, authenticationProvider } as unknown as SASLOptions
}

function keepReason(inner: Provider, args: Arguments): Authenticator {
  let reason: unknown = null
  const saslAuthenticate: Exchange = async (step) => {
    try {
      return await args.saslAuthenticate(step)
    } catch (error) {
      reason = error
      throw error
    }
  }
  const authenticator = inner({ ...args, saslAuthenticate })
  return {
    authenticate: async () => {
      try {
        await authenticator.authenticate()
      } catch (error) {
        throw reason ?? error
      }
    },
  }
}

/** RFC 7628 §3.2.2: a refused token is answered with a text that says so; to one that is accepted there is nothing to say. */
const refusing =
  (exchange: Exchange): Exchange =>
  async ({ request }) => {
    const answer = await exchange({
      request,
      response: { decode: (bytes) => Promise.resolve(bytes), parse: (bytes) => Promise.resolve(bytes) },
    })
    if (Buffer.isBuffer(answer) && answer.length > SIZE_BYTES)
      throw new JudgedError(failedWith('credentials_rejected', 'The brokers refused the token.'))
    return answer
  }

/** kafkajs leaves the length of the answer before it. */
const SIZE_BYTES = 4
