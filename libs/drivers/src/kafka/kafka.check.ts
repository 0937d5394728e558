import { isIP } from 'node:net'
import type { Problem } from '@barnabas/domain'
import { readHostPort } from '../fields.js'
import { checkTlsSettings } from '../tls-settings.js'
import type { KafkaSettings } from './kafka.open.js'

/** Mistakes that lie in several fields at once. */
export const checkKafka = (settings: KafkaSettings): Problem[] => [
  ...checkLogin(settings),
  ...checkBrokers(settings),
  ...checkRegistry(settings),
  ...checkTlsSettings(settings),
]

function checkLogin({ config, credentials }: KafkaSettings): Problem[] {
  if (config.sasl_mechanism === 'none') return []
  const problems: Problem[] = []
  for (const name of ['username', 'password'] as const) {
    if (credentials[name] === undefined)
      problems.push({
        path: `credentials.${name}`,
        message: `is required when config.sasl_mechanism is ${config.sasl_mechanism}`,
      })
  }
  if (config.sasl_mechanism === 'oauthbearer' && config.oauth_token_url === undefined)
    problems.push({
      path: 'config.oauth_token_url',
      message: 'is required when config.sasl_mechanism is oauthbearer',
    })
  return problems
}

/** The client library would cut such an address at its first colon. */
function checkBrokers({ config }: KafkaSettings): Problem[] {
  const isIPv6 = config.brokers
    .split(',')
    .some((broker) => isIP(readHostPort(broker.trim())?.host ?? '') === 6)
  return isIPv6
    ? [{ path: 'config.brokers', message: 'must be names or IPv4 addresses with their ports' }]
    : []
}

function checkRegistry({ config, credentials }: KafkaSettings): Problem[] {
  const { schema_registry_username: username, schema_registry_password: password } = credentials
  const problems: Problem[] = []
  if (config.schema_registry_url !== undefined && config.format === 'cloudevents_structured')
    problems.push({
      path: 'config.format',
      message: 'must not be cloudevents_structured when config.schema_registry_url is given',
    })
  if (password !== undefined && username === undefined)
    problems.push({
      path: 'credentials.schema_registry_username',
      message: 'is required with credentials.schema_registry_password',
    })
  return problems
}
