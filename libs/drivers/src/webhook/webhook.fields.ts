import { generatedSecret, keyValueMap, secret, select, text, url, type ValuesOf } from '../fields.js'
import { rotationFields } from '../rotation.js'
import { authorityField, clientCertificateFields } from '../tls-settings.js'
import { checkHeader, checkHeaderName, MAX_CUSTOM_HEADERS } from './webhook.custom-headers.js'
import { checkSecret } from './webhook.signature.js'

/** RFC 6750 §2.1: what may stand behind `Bearer`. */
const BEARER_TOKEN = /[A-Za-z0-9\-._~+\x2f]+=*/
/** RFC 7617 §2: the colon ends the user name. */
const USER_NAME = /[^:\u0000-\u001f\u007f]+/
/** RFC 6749 §3.3. */
const SCOPE = /[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*/
/** RFC 6749 appendix A: visible ASCII and spaces. */
const CLIENT = /[\x20-\x7e]+/
const RATE = /[1-9]\d{0,5}/

const delivery = {
  url: url({
    label: 'URL',
    description: 'Where the events are sent to, for example https://example.com/webhooks.',
  }),
  method: select(['POST', 'PUT', 'PATCH'], {
    label: 'Method',
    description: 'The method of the HTTP request.',
    default: 'POST',
  }),
  format: select(['payload', 'cloudevents_binary', 'cloudevents_structured'], {
    label: 'Format',
    description: 'What the body of the request is, and whether the event is described as a CloudEvent.',
    default: 'payload',
    labels: {
      payload: 'The data as it was published',
      cloudevents_binary: 'CloudEvents, binary mode: the data, and ce- headers',
      cloudevents_structured: 'CloudEvents, structured mode: one JSON text',
    },
  }),
  custom_headers: keyValueMap({
    label: 'Custom headers',
    description: 'Headers that every request carries. They are shown to everyone who sees the destination.',
    maxPairs: MAX_CUSTOM_HEADERS,
    check: checkHeader,
  }),
  signature: select(['v1', 'v1a'], {
    label: 'Signature',
    description:
      'How requests are signed. A change needs a new secret: give one, or rotate it in the same request.',
    default: 'v1',
    labels: { v1: 'HMAC-SHA256, with a shared secret', v1a: 'Ed25519, verified with a public key' },
  }),
  verify_endpoint: select(['none', 'cloudevents'], {
    label: 'Verification',
    description: 'Whether the endpoint is asked for its consent before it gets events.',
    default: 'none',
    labels: { none: 'Not asked', cloudevents: 'Asked as CloudEvents web hooks describe' },
  }),
  request_rate: text({
    label: 'Requested rate',
    description: 'Requests per minute that the endpoint is asked to allow when it is asked for its consent.',
    required: false,
    pattern: RATE,
    expected: 'must be a whole number from 1 to 999999',
  }),
} as const

const authentication = {
  auth: select(['none', 'basic', 'bearer', 'api_key', 'oauth2'], {
    label: 'Authentication',
    description: 'How requests prove, besides their signature, who sends them.',
    default: 'none',
    labels: {
      none: 'None',
      basic: 'User name and password',
      bearer: 'Bearer token',
      api_key: 'API key in a header',
      oauth2: 'OAuth 2 client credentials',
    },
  }),
  username: text({
    label: 'User name',
    description: 'For authentication with user name and password.',
    required: false,
    maxlength: 256,
    pattern: USER_NAME,
    expected: 'must not hold a colon or control characters',
  }),
  api_key_header: text({
    label: 'API key header',
    description: 'Name of the header that holds the API key; X-API-Key unless given.',
    required: false,
    maxlength: 128,
    check: checkHeaderName,
  }),
  token_url: url({
    label: 'Token URL',
    description: 'Where OAuth 2 tokens are fetched, for example https://login.example.com/oauth/token.',
    required: false,
  }),
  client_id: text({
    label: 'Client id',
    description: 'Of the OAuth 2 client.',
    required: false,
    maxlength: 512,
    pattern: CLIENT,
    expected: 'must be plain ASCII',
  }),
  scope: text({
    label: 'Scope',
    description: 'OAuth 2 scopes, separated by spaces.',
    required: false,
    pattern: SCOPE,
    expected: 'must be scopes separated by single spaces',
  }),
  audience: text({
    label: 'Audience',
    description: 'Sent with the request for a token, for servers that want one.',
    required: false,
  }),
  client_auth: select(['basic', 'body'], {
    label: 'Client authentication',
    description: 'How client id and secret reach the token URL; in a header unless chosen otherwise.',
    labels: { basic: 'In the Authorization header', body: 'In the body of the request' },
  }),
} as const

export const configFields = { ...delivery, ...authentication, ...authorityField }

export const credentialFields = {
  secret: generatedSecret({
    label: 'Signing secret',
    description: 'Signs every request. Made for you when you leave it empty, and shown once.',
    check: checkSecret,
  }),
  ...rotationFields(checkSecret),
  secret_headers: keyValueMap({
    label: 'Secret headers',
    description: 'Headers that every request carries, and that are not shown again.',
    maxPairs: MAX_CUSTOM_HEADERS,
    sensitive: true,
    check: checkHeader,
  }),
  password: secret({
    label: 'Password',
    description: 'For authentication with user name and password.',
    required: false,
  }),
  token: secret({
    label: 'Bearer token',
    description: 'Sent as Authorization: Bearer.',
    required: false,
    maxlength: 4_096,
    pattern: BEARER_TOKEN,
    expected: 'must be letters, digits and -._~+/ only',
  }),
  api_key: secret({
    label: 'API key',
    description: 'Sent in the API key header.',
    required: false,
    check: (value) => checkHeader('x-api-key', value),
  }),
  client_secret: secret({
    label: 'Client secret',
    description: 'Of the OAuth 2 client.',
    required: false,
    pattern: CLIENT,
    expected: 'must be plain ASCII',
  }),
  ...clientCertificateFields,
}

export type WebhookConfig = ValuesOf<typeof configFields>
export type WebhookCredentials = ValuesOf<typeof credentialFields>
export interface WebhookSettings {
  readonly config: WebhookConfig
  readonly credentials: WebhookCredentials
}
