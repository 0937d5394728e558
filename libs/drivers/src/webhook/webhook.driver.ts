import { readFileSync } from 'node:fs'
import { defineDriver } from '../driver.js'
import { generatedSecret, url } from '../fields.js'
import { addressOfUrl } from '../network/http.js'
import { WebhookSender } from './webhook.sender.js'
import { checkSecret, newSecret, signingKey } from './webhook.signature.js'

/** The guide and the icon lie beside the source, whether this file runs from `src` or from `dist`. */
const asset = (name: string): string =>
  readFileSync(new URL(`../../src/webhook/${name}`, import.meta.url), 'utf8')

/** HTTP POST of the payload with a Standard Webhooks signature. */
export const webhook = defineDriver({
  type: 'webhook',
  label: 'Webhook',
  description: 'Sends each event as an HTTP POST request to a URL, signed as Standard Webhooks describes.',
  instructions: asset('setup.md'),
  icon: asset('icon.svg'),
  config: {
    url: url({
      label: 'URL',
      description: 'Where the events are sent to, for example https://example.com/webhooks.',
    }),
  },
  credentials: {
    secret: generatedSecret({
      label: 'Signing secret',
      description: 'Signs every request. Made for you when you leave it empty, and shown once.',
      check: checkSecret,
    }),
  },
  target: (config) => ({ target: new URL(config.url).host, targetUrl: config.url }),
  generate: (given): Record<string, string> => (given['secret'] ? {} : { secret: newSecret() }),
  addresses: ({ config }) => [{ path: 'config.url', ...addressOfUrl(config.url) }],
  open: ({ config, credentials }, { network }) =>
    new WebhookSender(config.url, signingKey(credentials.secret), network),
})
