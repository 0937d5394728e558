import type { KafkaLog } from './kafka-log.js'
import type { KafkaObserver } from './ports.js'

export interface KafkaOptions {
  readonly brokers: readonly string[]
  /** Names this process in the broker's logs and quotas. */
  readonly clientId: string
  readonly ssl?: true | { readonly ca: string } | undefined
  readonly sasl?:
    | {
        readonly mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
        readonly username: string
        readonly password: string
      }
    | undefined
  /** Outlives the process, so that the same partitions come back to it; host name and `clientId` unless given. */
  readonly memberName?: string | undefined
  readonly log?: KafkaLog | undefined
  /** Bound on unfinished records over all consumers that share it; see `LiveBytes`. For tests. */
  readonly maxLiveBytes?: number | undefined
  readonly observer?: KafkaObserver | undefined
  /** Client that writes; kafkajs unless given. Reading is kafkajs's in any case. */
  readonly producer?: 'kafkajs' | 'platformatic' | undefined
}
