import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../ports.js'
import { checkJava, kafkaJars } from '../services/kafka-jars.js'
import {
  newClusterId,
  startKafkaNode,
  type KafkaListener,
  type KafkaNodeExtras,
  type KafkaNodeOptions,
} from '../services/kafka-node.js'
import { removeScramUser } from './kafka-scram.js'
import type { ListenerTls } from './rabbitmq.js'

export interface SecuredKafkaOptions {
  /** For everything that the broker writes; kept between restarts. */
  readonly dataDir: string
  readonly tls: ListenerTls
  /** Name and password of every user, by each mechanism. */
  readonly users: Readonly<Record<string, string>>
}

/**
 * A real Kafka of one node on loopback with a listener of each kind. Whoever comes by the plain one may do everything,
 * all others what access control lists allow, and everything where there is none. The broker creates topics that are
 * asked for.
 */
export interface SecuredKafka {
  /** `host:port` of the listeners. */
  readonly plain: string
  readonly sasl: string
  readonly saslTls: string
  /** Wants a certificate of the client. */
  readonly tls: string
  /** Says that the broker is reached at `elsewherePort` of loopback. */
  readonly misadvertised: string
  readonly elsewherePort: number
  /** SCRAM knows this user no more from now on, also after `resume`; PLAIN does. Connections stay. */
  removeUser(name: string): Promise<void>
  /** Halts the broker as a machine without CPU would: connections stay, nothing is answered. */
  freeze(): void
  thaw(): void
  halt(): Promise<void>
  /** Starts it again at the same ports and on its data. */
  resume(): Promise<void>
  /** Safe to call twice. */
  stop(): Promise<void>
}

const MECHANISMS = ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER']

/** Starts it; resolves when it serves. The token of OAUTHBEARER is not verified: its `sub` is the user. */
export async function startSecuredKafka(options: SecuredKafkaOptions): Promise<SecuredKafka> {
  checkJava()
  const folder = join(options.dataDir, 'kafka')
  mkdirSync(folder, { recursive: true })
  const port = await freePort()
  const listeners = await listenersOf()
  const node: KafkaNodeOptions = {
    jars: await kafkaJars(() => undefined),
    folder,
    logFile: join(options.dataDir, 'kafka.log'),
    id: 1,
    port,
    controllerPorts: [await freePort()],
    clusterId: newClusterId(),
    isFast: true,
    extras: extrasOf(options, folder, Object.values(listeners)),
  }
  let running = await startKafkaNode(node)
  let hasExited = false
  const watch = (): void => {
    hasExited = false
    void running.exited.then(() => (hasExited = true))
  }
  watch()
  const signal = (name: NodeJS.Signals): void => {
    if (!hasExited) process.kill(running.pid, name)
  }
  const halt = async (): Promise<void> => {
    signal('SIGCONT')
    await running.stop()
  }
  const at = (listener: KafkaListener): string => `127.0.0.1:${listener.port}`
  return {
    plain: `127.0.0.1:${port}`,
    sasl: at(listeners.sasl),
    saslTls: at(listeners.saslTls),
    tls: at(listeners.tls),
    misadvertised: at(listeners.misadvertised),
    elsewherePort: listeners.misadvertised.advertisedPort,
    removeUser: (name) => removeScramUser(port, name),
    freeze: () => signal('SIGSTOP'),
    thaw: () => signal('SIGCONT'),
    halt,
    resume: async () => {
      running = await startKafkaNode(node)
      watch()
    },
    stop: halt,
  }
}

const listenersOf = async () => ({
  sasl: { name: 'LOGIN', protocol: 'SASL_PLAINTEXT', port: await freePort() } as const,
  saslTls: { name: 'SECRET', protocol: 'SASL_SSL', port: await freePort() } as const,
  tls: { name: 'CERT', protocol: 'SSL', port: await freePort() } as const,
  misadvertised: {
    name: 'AWRY',
    protocol: 'PLAINTEXT',
    port: await freePort(),
    advertisedPort: await freePort(),
  } as const,
})

function extrasOf(
  { tls, users }: SecuredKafkaOptions,
  folder: string,
  listeners: readonly KafkaListener[],
): KafkaNodeExtras {
  const keyStore = join(folder, 'server.pem')
  const trustStore = join(folder, 'authority.pem')
  writeFileSync(keyStore, `${tls.key}\n${tls.certificate}`, { mode: 0o600 })
  writeFileSync(trustStore, tls.authority)
  const names = Object.entries(users)
  return {
    listeners,
    properties: [
      `ssl.keystore.type=PEM`,
      `ssl.keystore.location=${keyStore}`,
      `ssl.truststore.type=PEM`,
      `ssl.truststore.location=${trustStore}`,
      'listener.name.cert.ssl.client.auth=required',
      'listener.name.secret.ssl.client.auth=none',
      ...['login', 'secret'].flatMap((name) => saslProperties(`listener.name.${name}`, names)),
      'authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer',
      'super.users=User:ANONYMOUS',
      'allow.everyone.if.no.acl.found=true',
      // The last one counts: a client that lets topics be created would be found out.
      'auto.create.topics.enable=true',
    ],
    scramUsers: names.flatMap(([name, password]) =>
      ['SCRAM-SHA-256', 'SCRAM-SHA-512'].map(
        (mechanism) => `${mechanism}=[name=${name},password=${password}]`,
      ),
    ),
  }
}

const SECURITY = 'org.apache.kafka.common.security'

function saslProperties(prefix: string, users: readonly (readonly [string, string])[]): string[] {
  const plainUsers = users.map(([name, password]) => `user_${name}="${password}"`).join(' ')
  return [
    `${prefix}.sasl.enabled.mechanisms=${MECHANISMS.join(',')}`,
    `${prefix}.plain.sasl.jaas.config=${SECURITY}.plain.PlainLoginModule required ${plainUsers};`,
    `${prefix}.scram-sha-256.sasl.jaas.config=${SECURITY}.scram.ScramLoginModule required;`,
    `${prefix}.scram-sha-512.sasl.jaas.config=${SECURITY}.scram.ScramLoginModule required;`,
    `${prefix}.oauthbearer.sasl.jaas.config=${SECURITY}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";`,
  ]
}
