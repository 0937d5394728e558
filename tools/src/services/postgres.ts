import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import pg from 'pg'
import { freePort } from '../ports.js'
import { Problem } from '../problem.js'
import { startGuarded } from './guarded.js'
import { logTail } from './log-tail.js'
import { isReachableByNobody, isRoot, NOBODY, postgresBinaries } from './postgres-binaries.js'
import type { Service } from './service.js'

export interface PostgresOptions {
  /** Kept from one start to the next. */
  readonly dataDir: string
  /** Taken when it is free. */
  readonly port?: number | undefined
  /** For tests: no fsync, so that a crash of the machine may lose data. */
  readonly isFast?: boolean
}

export interface Postgres extends Service {
  /** Of the database `barnabas`; holds the password. */
  readonly url: string
}

const USER = 'barnabas'
const DATABASE = 'barnabas'
const READY_LIMIT_MS = 60_000
const POLL_MS = 50
/** SIGINT is PostgreSQL's fast shutdown: clients are disconnected, the data are written. */
const FAST_SHUTDOWN = 'SIGINT'
const DUPLICATE_DATABASE = '42P04'

/** Starts a real PostgreSQL on loopback with a password of its own; resolves when it answers. */
export async function startPostgres({
  dataDir,
  port: wanted,
  isFast = false,
}: PostgresOptions): Promise<Postgres> {
  const programs = postgresBinaries()
  const folder = serverFolder(dataDir)
  const uid = isRoot() ? NOBODY : undefined
  const password = passwordOf(dataDir)
  if (!existsSync(join(folder, 'PG_VERSION'))) await initialise({ programs, folder, dataDir, password, uid })
  const port = await freePort(wanted)
  const logFile = join(dataDir, 'postgres.log')
  const guarded = await startGuarded({
    command: join(programs, 'bin', 'postgres'),
    args: ['-D', folder, '-p', String(port), ...settings(isFast)],
    cwd: '/',
    uid,
    stopSignal: FAST_SHUTDOWN,
    logFile,
  })
  const url = (database: string): string => `postgres://${USER}:${password}@127.0.0.1:${port}/${database}`
  await untilReady(url('postgres'), () => guarded.hasExited, logFile)
  const { pid, exited } = guarded
  return { port, pid, exited, url: url(DATABASE), stop: guarded.stop, kill9: guarded.kill9 }
}

/** Loopback only, no socket file; enough connections for several instances under test. */
const settings = (isFast: boolean): string[] =>
  [
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'max_connections=300',
    ...(isFast ? ['fsync=off', 'full_page_writes=off'] : []),
  ].flatMap((setting) => ['-c', setting])

/** The server's own folder: in the data folder, unless root's `nobody` could not enter it there. */
function serverFolder(dataDir: string): string {
  if (!isRoot() || isReachableByNobody(resolve(dataDir, '..'))) return join(dataDir, 'postgres')
  const name = createHash('sha256').update(resolve(dataDir)).digest('hex').slice(0, 12)
  const folder = join('/var/lib/barnabas', name)
  process.stdout.write(`PostgreSQL cannot run as root, nor enter ${dataDir}: its data are in ${folder}.\n`)
  return folder
}

/** Removes the server's data wherever they are. The server must not run. */
export function removePostgresData(dataDir: string): void {
  rmSync(serverFolder(dataDir), { recursive: true, force: true })
}

function passwordOf(dataDir: string): string {
  const file = join(dataDir, 'postgres-password')
  if (!existsSync(file)) writeFileSync(file, randomBytes(24).toString('hex'), { mode: 0o600 })
  return readFileSync(file, 'utf8').trim()
}

interface Initialisation {
  readonly programs: string
  readonly folder: string
  readonly dataDir: string
  readonly password: string
  readonly uid: number | undefined
}

async function initialise({ programs, folder, dataDir, password, uid }: Initialisation): Promise<void> {
  // A first start that was interrupted leaves a folder that initdb refuses.
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  if (uid !== undefined) chownSync(folder, uid, uid)
  const passwordFile = `${folder}.password`
  writeFileSync(passwordFile, password, { mode: 0o600 })
  if (uid !== undefined) chownSync(passwordFile, uid, uid)
  const initdb = join(programs, 'bin', 'initdb')
  const login = ['-U', USER, '--auth=scram-sha-256', `--pwfile=${passwordFile}`]
  const { code, output } = await run(initdb, ['-D', folder, ...login, '-E', 'UTF8', '--locale=C'], uid)
  rmSync(passwordFile, { force: true })
  if (code !== 0) {
    rmSync(folder, { recursive: true, force: true })
    throw new Problem(`PostgreSQL could not create its data in ${dataDir}:\n${output}`)
  }
}

function run(
  command: string,
  args: readonly string[],
  uid: number | undefined,
): Promise<{ code: number | null; output: string }> {
  return new Promise((done, reject) => {
    const identity = uid === undefined ? {} : { uid, gid: uid }
    const child = spawn(command, args, { cwd: '/', stdio: ['ignore', 'pipe', 'pipe'], ...identity })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.once('error', reject)
    child.once('close', (code) => done({ code, output }))
  })
}

async function untilReady(url: string, hasExited: () => boolean, logFile: string): Promise<void> {
  const deadlineMs = Date.now() + READY_LIMIT_MS
  while (Date.now() < deadlineMs && !hasExited()) {
    if (await createDatabase(url)) return
    await wait(POLL_MS)
  }
  throw new Problem(`PostgreSQL did not start; its log is ${logFile}:\n${logTail(logFile)}`)
}

async function createDatabase(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.query(`CREATE DATABASE ${DATABASE}`)
    return true
  } catch (error) {
    return error instanceof pg.DatabaseError && error.code === DUPLICATE_DATABASE
  } finally {
    await client.end().catch(() => undefined)
  }
}
