import { connect } from 'node:net'
import pg from 'pg'
import { isPortFree } from '../ports.js'
import { Problem } from '../problem.js'

const CONNECT_LIMIT_MS = 3_000

export async function checkApiPort(port: number, host: string): Promise<void> {
  if (port === 0 || (await isPortFree(port, host))) return
  throw new Problem(
    `API_PORT is ${port}, where something listens already. Set API_PORT to another port, for example ${port + 1}.`,
  )
}

/** Any one broker that accepts a connection will do; the rest is found from there. */
export async function checkKafka(brokers: readonly string[]): Promise<void> {
  const reached = await Promise.all(brokers.map(acceptsConnections))
  if (reached.includes(true)) return
  throw new Problem(
    `KAFKA_BROKERS is ${brokers.join(',')}, and none of them accepts a connection.\n` +
      'Start that Kafka, correct the setting, or leave it out: then one is started here.',
  )
}

function acceptsConnections(address: string): Promise<boolean> {
  const at = address.lastIndexOf(':')
  const host = address.slice(0, at).replaceAll(/^\[|\]$/g, '')
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(address.slice(at + 1)), timeout: CONNECT_LIMIT_MS })
    const end = (isReached: boolean): void => {
      socket.destroy()
      resolve(isReached)
    }
    socket.once('connect', () => end(true))
    socket.once('timeout', () => end(false))
    socket.once('error', () => end(false))
  })
}

export async function checkDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_LIMIT_MS })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query('SELECT 1')
  } catch (error) {
    const reason = error instanceof AggregateError ? error.errors.map(String).join('; ') : String(error)
    throw new Problem(
      `DATABASE_URL names a PostgreSQL at ${new URL(url).host} that cannot be used: ${reason}.\n` +
        'Start it, correct the setting, or leave it out: then one is started here.',
    )
  } finally {
    await client.end().catch(() => undefined)
  }
}
