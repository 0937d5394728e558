import { readFileSync } from 'node:fs'
import { defineDriver } from '../driver.js'
import { secret } from '../fields.js'
import { HookdeckSender } from './hookdeck.sender.js'
import { checkToken } from './hookdeck.token.js'
import { verifyToken } from './hookdeck.verify.js'

const asset = (name: string): string =>
  readFileSync(new URL(`../../src/hookdeck/${name}`, import.meta.url), 'utf8')

/** Events as requests to a managed source of Hookdeck's Event Gateway. */
export const hookdeck = defineDriver({
  type: 'hookdeck',
  label: 'Hookdeck Event Gateway',
  description: 'Sends each event to a source of the Hookdeck Event Gateway, which delivers it further.',
  instructions: asset('setup.md'),
  icon: asset('icon.svg'),
  config: {},
  credentials: {
    token: secret({
      label: 'Token',
      description: 'The token that Hookdeck shows for a managed source.',
      maxlength: 1_024,
      check: checkToken,
    }),
  },
  // The token tells the source, and it is a secret.
  target: () => ({ target: 'Hookdeck', targetUrl: 'https://dashboard.hookdeck.com' }),
  addresses: () => [],
  verification: {
    purpose: 'check',
    subject: ({ credentials }) => credentials.token,
    ask: ({ credentials }, tools, signal) => verifyToken(credentials.token, tools, signal),
  },
  open: ({ credentials }, tools) => new HookdeckSender(credentials.token, tools),
})
