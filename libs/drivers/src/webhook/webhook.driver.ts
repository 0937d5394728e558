import { readFileSync } from 'node:fs'
import type { Problem } from '@barnabas/domain'
import { defineDriver, type NamedAddress, type SenderTools } from '../driver.js'
import { HttpTarget } from '../http/http-target.js'
import { addressOfUrl } from '../network/http.js'
import { liveSecrets } from '../rotation.js'
import { checkTlsSettings, tlsOptions } from '../tls-settings.js'
import { authenticationHeader, authenticationOf, checkAuthentication } from './webhook.auth.js'
import { readHeaders, repeatedHeaders } from './webhook.custom-headers.js'
import { configFields, credentialFields, type WebhookSettings } from './webhook.fields.js'
import { askForConsent, DEFAULT_ORIGIN, readCallback, REQUEST_ORIGIN } from './webhook.handshake.js'
import { WebhookSender } from './webhook.sender.js'
import { newSecret, publicKeyOf, schemeOf, signingKey } from './webhook.signature.js'

/** The guide and the icon lie beside the source, whether this file runs from `src` or from `dist`. */
const asset = (name: string): string =>
  readFileSync(new URL(`../../src/webhook/${name}`, import.meta.url), 'utf8')

/** An HTTP request for each event, with Standard Webhooks signatures. */
export const webhook = defineDriver({
  type: 'webhook',
  label: 'Webhook',
  description: 'Sends each event as an HTTP request to a URL, signed as Standard Webhooks describes.',
  instructions: asset('setup.md'),
  icon: asset('icon.svg'),
  config: configFields,
  credentials: credentialFields,
  target: (config) => ({ target: new URL(config.url).host, targetUrl: config.url }),
  makeSecret: (config) => newSecret(config['signature'] === 'v1a' ? 'v1a' : 'v1'),
  derived: { public_key: ({ secret }) => publicKeyOf(secret ?? '') },
  check: (settings) => [
    ...checkAuthentication(settings),
    ...checkHeaders(settings),
    ...checkScheme(settings),
    ...checkTlsSettings(settings),
  ],
  addresses: ({ config }) => addressesOf(config),
  verification: {
    purpose: 'consent',
    subject: ({ config }) =>
      config.verify_endpoint === 'cloudevents' ? `${config.url} ${config.request_rate ?? ''}` : null,
    ask: askForConsent,
    readCallback,
  },
  open,
})

function addressesOf(config: WebhookSettings['config']): NamedAddress[] {
  const named = { path: 'config.url', ...addressOfUrl(config.url) }
  if (config.auth !== 'oauth2' || config.token_url === undefined) return [named]
  return [named, { path: 'config.token_url', ...addressOfUrl(config.token_url) }]
}

/** A header that stands twice would be sent twice, or hide the other. */
function checkHeaders(settings: WebhookSettings): Problem[] {
  const { config, credentials } = settings
  const problems = repeatedHeaders(config.custom_headers, credentials.secret_headers).map((name) => ({
    path: 'config.custom_headers',
    message: `names the header ${name} more than once, secret_headers included`,
  }))
  const taken = authenticationHeader(settings)
  const fields = {
    'config.custom_headers': config.custom_headers,
    'credentials.secret_headers': credentials.secret_headers,
  }
  for (const [path, json] of Object.entries(fields)) {
    if (taken !== null && Object.hasOwn(readHeaders(json), taken))
      problems.push({ path, message: `must not name ${taken}, which config.auth sets` })
  }
  return problems
}

function checkScheme({ config, credentials }: WebhookSettings): Problem[] {
  if (schemeOf(credentials.secret) === config.signature) return []
  const prefix = config.signature === 'v1a' ? 'whsk_' : 'whsec_'
  const message = `must begin with ${prefix} because config.signature is ${config.signature}; rotate_secret makes such a one`
  return [{ path: 'credentials.secret', message }]
}

function open(settings: WebhookSettings, { network, origin = DEFAULT_ORIGIN }: SenderTools): WebhookSender {
  const { config, credentials } = settings
  const tls = tlsOptions(settings) ?? {}
  const secrets = [...Object.values(credentials), ...Object.values(readHeaders(credentials.secret_headers))]
  return new WebhookSender(new HttpTarget(config.url, network, { tls, secrets }), {
    method: config.method,
    format: config.format,
    keys: liveSecrets(credentials).map(({ secret, untilMs }) => ({ ...signingKey(secret), untilMs })),
    headers: {
      ...readHeaders(config.custom_headers),
      ...readHeaders(credentials.secret_headers),
      // Whoever gets events with this option on has given its consent.
      ...(config.verify_endpoint === 'cloudevents' ? { [REQUEST_ORIGIN]: origin } : {}),
    },
    auth: authenticationOf(settings, network, tls),
  })
}
