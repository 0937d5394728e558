import { createRequire } from 'node:module'
import { setTimeout as wait } from 'node:timers/promises'

type Broker = object

/** What is needed of a class inside kafkajs 2.2.4. */
interface ConsumerGroup {
  readonly groupId: string
  coordinator: Broker
  readonly offsetManager: { coordinator: Broker } | null
  readonly cluster: {
    findGroupCoordinator(of: { groupId: string }): Promise<Broker>
    refreshMetadata(): Promise<void>
  }
  heartbeat: (this: ConsumerGroup, options: { interval: number }) => Promise<void>
  recoverFromFetch: (this: ConsumerGroup, error: KafkajsError) => Promise<void>
}

interface Connection {
  connect: (this: Connection) => Promise<true>
}

interface KafkajsError extends Error {
  readonly type?: string
  /** Of the error that a number of tries ended with. */
  readonly cause?: KafkajsError
}

/** No connection, or none that answers. */
const LOST_NAMES = new Set([
  'KafkaJSConnectionError',
  'KafkaJSConnectionClosedError',
  'KafkaJSRequestTimeoutError',
])
/** The broker answers and says that it is not, or not yet, the group's coordinator. */
const MOVED_TYPES = new Set([
  'NOT_COORDINATOR_FOR_GROUP',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'GROUP_LOAD_IN_PROGRESS',
])
/** Kafka notices a dead broker after 9 s; a refused connection costs nothing, so twice a second is soon enough. */
const RETRY_PAUSE_MS = 500

/**
 * kafkajs 2.2.4 gives a consumer up when a broker is lost: it stops all fetching, tries five times within 4 s, and
 * crashes; the consumer after it is a new member, for which the group waits until the old one's session has ended. With this
 * only the fetching from that broker pauses, and a member looks for its group's new coordinator and stays the member
 * that it was, as the Java client does; also when all brokers were away. Whether it still is a member, its heartbeats
 * tell: see `Membership` and `Watchdog`.
 */
export function bearLostBrokers(): void {
  keepMembers()
  connectOnce()
}

function keepMembers(): void {
  const require = createRequire(import.meta.url)
  const { prototype } = require('kafkajs/src/consumer/consumerGroup') as { prototype: ConsumerGroup }
  const { heartbeat, recoverFromFetch } = prototype
  const searches = new WeakMap<ConsumerGroup, Promise<void>>()

  prototype.heartbeat = async function (options) {
    try {
      await heartbeat.call(this, options)
    } catch (error) {
      if (!isLost(error as KafkajsError)) throw error
      // Not awaited: the fetches of the other brokers would wait too.
      if (!searches.has(this)) {
        searches.set(
          this,
          findCoordinator(this).finally(() => searches.delete(this)),
        )
      }
    }
  }

  prototype.recoverFromFetch = async function (error) {
    if (!isUnreachable(error)) return recoverFromFetch.call(this, error)
    await this.cluster.refreshMetadata().catch(() => undefined)
    await wait(RETRY_PAUSE_MS)
  }
}

/**
 * Whoever needs a connection that is down opens a socket, also while another's is being opened: the one is forgotten and
 * stays open, and requests are written to the other before it is connected.
 */
function connectOnce(): void {
  const require = createRequire(import.meta.url)
  const { prototype } = require('kafkajs/src/network/connection') as { prototype: Connection }
  const { connect } = prototype
  const underWay = new WeakMap<Connection, Promise<true>>()
  prototype.connect = function () {
    const known = underWay.get(this)
    if (known) return known
    const connecting = connect.call(this).finally(() => underWay.delete(this))
    underWay.set(this, connecting)
    return connecting
  }
}

const isUnreachable = ({ name, cause }: KafkajsError): boolean =>
  LOST_NAMES.has(name) ||
  (name === 'KafkaJSNumberOfRetriesExceeded' && cause !== undefined && LOST_NAMES.has(cause.name))

const isLost = ({ name, type }: KafkajsError): boolean =>
  LOST_NAMES.has(name) || (type !== undefined && MOVED_TYPES.has(type))

async function findCoordinator(group: ConsumerGroup): Promise<void> {
  try {
    const coordinator = await group.cluster.findGroupCoordinator({ groupId: group.groupId })
    group.coordinator = coordinator
    if (group.offsetManager) group.offsetManager.coordinator = coordinator
  } catch {
    // Nobody coordinates the group yet: the next heartbeat fails too, and looks again.
  }
  await wait(RETRY_PAUSE_MS)
}
