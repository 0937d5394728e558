import pg from 'pg'
import { uniqueName } from './names.js'

/** The Kafka that the test runner started. */
export function testBrokers(): string[] {
  return required('TEST_KAFKA_BROKERS').split(',')
}

/** A database of the test's own on the PostgreSQL that the test runner started. */
export interface FreshDatabase {
  readonly url: string
  /** Ends all connections to it and removes it. */
  drop(): Promise<void>
}

export async function freshDatabase(): Promise<FreshDatabase> {
  const admin = required('TEST_DATABASE_URL')
  const name = uniqueName('test').replace('-', '_')
  await run(admin, `CREATE DATABASE ${name}`)
  const url = new URL(admin)
  url.pathname = `/${name}`
  return { url: url.href, drop: () => run(admin, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`) }
}

async function run(url: string, sql: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(sql)
  } finally {
    await client.end()
  }
}

function required(name: string): string {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set: run the tests with npm test, which starts the services`)
  return value
}
