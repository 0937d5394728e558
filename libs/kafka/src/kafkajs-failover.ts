import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
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
  readonly socket?: Socket
  connect: (this: Connection) => Promise<true>
}

/** The connections to one broker: one for fetches, one for the rest. */
interface ConnectionPool {
  readonly pool: readonly Connection[]
  send: (this: ConnectionPool, request: object) => Promise<unknown>
}

interface KafkajsError extends Error {
  readonly type?: string
  /** Of the error that a number of tries ended with. */
  readonly cause?: KafkajsError
}

const TIMEOUT_NAME = 'KafkaJSRequestTimeoutError'
/** No connection, or none that answers. */
const LOST_NAMES = new Set(['KafkaJSConnectionError', 'KafkaJSConnectionClosedError', TIMEOUT_NAME])
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
  hangUpOnSilence()
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

/**
 * kafkajs keeps a connection on which no answer came, and asks again there. When the way is dead and nobody says so (a
 * firewall forgot it, the broker's machine froze), no request is answered until the system gives the connection up,
 * which takes a quarter of an hour. With this they are made anew, as in the Java client; both of them, since they go the same way and
 * the second would cost a time limit more.
 */
function hangUpOnSilence(): void {
  const require = createRequire(import.meta.url)
  const { prototype } = require('kafkajs/src/network/connectionPool') as { prototype: ConnectionPool }
  const { send } = prototype
  prototype.send = async function (request) {
    const sockets = this.pool.map(({ socket }) => socket)
    try {
      return await send.call(this, request)
    } catch (error) {
      // What was opened since may be well.
      if ((error as KafkajsError).name === TIMEOUT_NAME)
        for (const { socket } of this.pool) if (sockets.includes(socket)) socket?.destroy(new Error('silent'))
      throw error
    }
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
