import type { Sender } from '../driver.js'
import { HttpTarget } from '../http/http-target.js'
import { TokenSource } from '../http/oauth2-token.js'
import type { Network } from '../network/network.js'
import { tlsOptions, type TlsSettings } from '../tls-settings.js'
import type { Format } from './kafka.format.js'
import { JudgedError } from './kafka.outcome.js'
import { SchemaRegistry } from './kafka.registry.js'
import type { Login } from './kafka.sasl.js'
import { KafkaSender } from './kafka.sender.js'

/** Settings of a destination, validated. */
export interface KafkaSettings extends TlsSettings {
  readonly config: TlsSettings['config'] & {
    readonly brokers: string
    readonly topic: string
    readonly sasl_mechanism: Login['mechanism'] | 'none'
    readonly tls: 'true' | 'false'
    readonly partition_key_template: string
    readonly format: Format
    readonly oauth_token_url?: string
    readonly oauth_scope?: string
    readonly schema_registry_url?: string
    readonly schema_subject?: string
  }
  readonly credentials: TlsSettings['credentials'] & {
    readonly username?: string
    readonly password?: string
    readonly schema_registry_username?: string
    readonly schema_registry_password?: string
  }
}

export function openKafka(settings: KafkaSettings, network: Network): Sender {
  const { config } = settings
  const tokens = tokenSource(settings, network)
  const registry = registryOf(settings, network)
  const sender = new KafkaSender(
    {
      brokers: config.brokers.split(',').map((broker) => broker.trim()),
      topic: config.topic,
      tls: tlsOptions(settings) ?? undefined,
      login: loginOf(settings, tokens),
      keyTemplate: config.partition_key_template,
      format: config.format,
      registry,
    },
    network,
  )
  return {
    send: (event, attempt, signal) => sender.send(event, attempt, signal),
    close: async () => {
      await sender.close()
      await Promise.all([tokens?.close(), registry?.close()])
    },
  }
}

function tokenSource({ config, credentials }: KafkaSettings, network: Network): TokenSource | null {
  const { sasl_mechanism: mechanism, oauth_token_url: url, oauth_scope: scope } = config
  if (mechanism !== 'oauthbearer' || url === undefined) return null
  const { username: clientId = '', password: clientSecret = '' } = credentials
  return new TokenSource(new HttpTarget(url, network), {
    clientId,
    clientSecret,
    sentIn: 'basic',
    ...(scope === undefined ? {} : { scope }),
  })
}

function registryOf({ config, credentials }: KafkaSettings, network: Network): SchemaRegistry | undefined {
  const { schema_registry_url: url, topic } = config
  if (url === undefined) return undefined
  const { schema_registry_username: username, schema_registry_password: password = '' } = credentials
  const login = username === undefined ? undefined : { username, password }
  return new SchemaRegistry({ url, subject: config.schema_subject ?? `${topic}-value`, login }, network)
}

function loginOf({ config, credentials }: KafkaSettings, tokens: TokenSource | null): Login | undefined {
  const { sasl_mechanism: mechanism } = config
  if (mechanism === 'none') return undefined
  if (mechanism === 'oauthbearer') return tokens ? { mechanism, token: () => textOf(tokens) } : undefined
  const { username = '', password = '' } = credentials
  return { mechanism, username, password }
}

/** kafkajs takes a token or an error. */
async function textOf(tokens: TokenSource): Promise<string> {
  const token = await tokens.token()
  if (!token.ok) throw new JudgedError(token.failure)
  return token.value.text
}
