import type { Socket } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import type { Redis } from 'ioredis'
import { lazy } from '../lazy.js'
import type { Address, Network } from '../network/network.js'

const client = lazy(() => import('ioredis'))

const CONNECT_TIMEOUT_MS = 10_000
/** A connection on which a command got no answer for this long is closed; longer than any usual attempt may take. */
const COMMAND_LIMIT_MS = 30_000
/** How long a connection that we end may take to close by itself. */
const DISCONNECT_TIMEOUT_MS = 1_000

export interface RedisConnectionOptions {
  readonly address: Address
  readonly network: Network
  readonly tls: ConnectionOptions | null
  readonly username: string | undefined
  readonly password: string | undefined
  readonly database: number
}

/** Thrown when the server refused to log us in, or to open the database. */
export class RefusedSetUp extends Error {
  constructor(
    readonly step: 'login' | 'database',
    cause: unknown,
  ) {
    super(step, { cause })
  }
}

export interface RedisConnection {
  readonly redis: Redis
  /** What is written from now on in this turn of the event loop goes out together. */
  readonly gather: () => void
}

/**
 * A connection that is logged in. It is dialled by the network, does not connect anew by itself, and keeps no command
 * that it cannot write at once; `lost` is called when it has closed. Rejects with `RefusedSetUp`, or with the error of the system.
 */
export async function connectRedis(
  options: RedisConnectionOptions,
  lost: () => void,
): Promise<RedisConnection> {
  const { Redis, AbstractConnector } = await client()
  const { address, network, tls, username, password, database } = options
  let gather: () => void = () => undefined
  class JudgedConnector extends AbstractConnector {
    override async connect() {
      const dialled = { ...address, timeoutMs: CONNECT_TIMEOUT_MS, ...(tls === null ? {} : { tls }) }
      const socket = await network.dial(dialled)
      gather = gathering(socket)
      this.stream = socket
      return socket
    }

    constructor() {
      super(DISCONNECT_TIMEOUT_MS)
    }
  }
  const redis = new Redis({
    Connector: JudgedConnector,
    lazyConnect: true,
    retryStrategy: null,
    enableOfflineQueue: false,
    // These would be commands whose failure is told as an event only.
    enableReadyCheck: false,
    disableClientInfo: true,
  })
  // What is wrong with the connection fails its commands as well.
  redis.on('error', () => undefined).once('end', lost)
  try {
    await redis.connect()
    if (password !== undefined) await step('login', answerOf(redis, logIn(redis, username, password)))
    if (database !== 0) await step('database', answerOf(redis, redis.select(database)))
    return { redis, gather }
  } catch (error) {
    redis.disconnect()
    throw error
  }
}

/** The client writes each command by itself, which is a call of the system for each. */
function gathering(socket: Socket): () => void {
  let isGathering = false
  return () => {
    if (isGathering) return
    isGathering = true
    socket.cork()
    process.nextTick(() => {
      isGathering = false
      socket.uncork()
    })
  }
}

/**
 * The answer to a command, as it comes. A server that gives none loses the connection, which rejects all commands on
 * it: the client's own limits leave timers behind or the connection in use.
 */
export async function answerOf<Answer>(redis: Redis, command: Promise<Answer>): Promise<Answer> {
  const timer = setTimeout(() => redis.disconnect(), COMMAND_LIMIT_MS)
  try {
    return await command
  } finally {
    clearTimeout(timer)
  }
}

const logIn = (redis: Redis, username: string | undefined, password: string): Promise<unknown> =>
  username === undefined ? redis.auth(password) : redis.auth(username, password)

async function step(name: RefusedSetUp['step'], answer: Promise<unknown>): Promise<void> {
  try {
    await answer
  } catch (error) {
    throw new RefusedSetUp(name, error)
  }
}
