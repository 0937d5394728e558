import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { delimiter, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { freePort } from '../ports.js'
import { Problem } from '../problem.js'
import { startGuarded, type Guarded } from '../services/guarded.js'
import { logTail } from '../services/log-tail.js'
import { untilFrozen } from './target-server.js'

/** PEM texts of a TLS listener. */
export interface ListenerTls {
  readonly authority: string
  readonly certificate: string
  readonly key: string
}

export interface RabbitMqOptions {
  /** For everything that the broker writes; kept between restarts. */
  readonly dataDir: string
  /** A second listener, with TLS, which wants a certificate of the client too. */
  readonly tls?: ListenerTls
}

/** A real RabbitMQ with a port mapper of its own, both on loopback. The user `guest` with the password `guest` may do everything. */
export interface RabbitMq {
  readonly port: number
  /** 0 without TLS. */
  readonly tlsPort: number
  /** `rabbitmqctl` with these arguments, 1 to 2 s; resolves to what it printed, rejects when it failed. */
  ctl(...args: string[]): Promise<string>
  /** Halts the broker as a machine without CPU would: connections stay, nothing is answered. */
  freeze(): void
  thaw(): void
  /** Ends the broker in order. */
  halt(): Promise<void>
  /** Starts it again at the same ports and on its data. */
  resume(): Promise<void>
  /** Ends broker and port mapper. Safe to call twice. */
  stop(): Promise<void>
}

/** Not the scripts in `sbin`: they change the user and fix the folders. */
const SCRIPTS = '/usr/lib/rabbitmq/bin'
const READY_LIMIT_MS = 90_000
const POLL_MS = 50
const STARTED = 'Server startup complete'

/** Starts it; resolves when it serves, after 7 to 10 s. Needs Debian's `rabbitmq-server`. */
export async function startRabbitMq(options: RabbitMqOptions): Promise<RabbitMq> {
  checkInstalled()
  const plan = await planOf(options)
  writeConfig(plan)
  const epmd = await startEpmd(plan)
  let server: Guarded
  try {
    server = await startServer(plan)
  } catch (error) {
    await epmd.stop()
    throw error
  }
  const signal = (name: NodeJS.Signals): void => {
    if (!server.hasExited) process.kill(server.pid, name)
  }
  const halt = async (): Promise<void> => {
    signal('SIGCONT')
    await server.stop()
  }
  return {
    port: plan.port,
    tlsPort: plan.tlsPort,
    ctl: (...args) => ctl(plan, args),
    freeze: () => {
      signal('SIGSTOP')
      untilFrozen(server.pid)
    },
    thaw: () => signal('SIGCONT'),
    halt,
    resume: async () => {
      server = await startServer(plan)
    },
    stop: async () => {
      await halt()
      await epmd.stop()
    },
  }
}

interface Plan {
  readonly folder: string
  readonly logFile: string
  readonly port: number
  readonly tlsPort: number
  readonly epmdPort: number
  readonly env: Readonly<Record<string, string>>
  readonly tls: ListenerTls | undefined
}

function checkInstalled(): void {
  if (existsSync(join(SCRIPTS, 'rabbitmq-server'))) return
  throw new Problem(
    'The tests of RabbitMQ need a RabbitMQ on this machine, and none was found.\n' +
      'Install it (Debian and Ubuntu: apt-get install rabbitmq-server).',
  )
}

async function planOf({ dataDir, tls }: RabbitMqOptions): Promise<Plan> {
  const folder = join(dataDir, 'rabbitmq')
  mkdirSync(join(folder, 'home'), { recursive: true })
  const port = await freePort()
  const tlsPort = tls ? await freePort() : 0
  const distributionPort = await freePort()
  const epmdPort = await freePort()
  const env = {
    HOME: join(folder, 'home'),
    LANG: 'C.UTF-8',
    ERL_EPMD_PORT: String(epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: `t${port}@localhost`,
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distributionPort),
    RABBITMQ_MNESIA_BASE: join(folder, 'mnesia'),
    RABBITMQ_LOG_BASE: join(folder, 'log'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, 'enabled_plugins'),
    RABBITMQ_CONFIG_FILE: join(folder, 'rabbitmq'),
    RABBITMQ_CONF_ENV_FILE: '/dev/null',
    RABBITMQ_PID_FILE: join(folder, 'pid'),
    // The script becomes the broker then, and its process is the one that is frozen and ended.
    RABBITMQ_ALLOW_INPUT: '1',
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-noinput -kernel inet_dist_use_interface {127,0,0,1}',
  }
  return { folder, logFile: join(dataDir, 'rabbitmq.log'), port, tlsPort, epmdPort, env, tls }
}

function writeConfig({ folder, port, tlsPort, tls }: Plan): void {
  writeFileSync(join(folder, 'enabled_plugins'), '[].\n')
  const lines = [
    `listeners.tcp.1 = 127.0.0.1:${port}`,
    'log.console = true',
    'log.file = false',
    'disk_free_limit.absolute = 50MB',
  ]
  if (tls) {
    const files = { cacertfile: tls.authority, certfile: tls.certificate, keyfile: tls.key }
    lines.push(`listeners.ssl.1 = 127.0.0.1:${tlsPort}`)
    for (const [name, pem] of Object.entries(files)) {
      writeFileSync(join(folder, `${name}.pem`), pem, { mode: 0o600 })
      lines.push(`ssl_options.${name} = ${join(folder, `${name}.pem`)}`)
    }
    lines.push('ssl_options.verify = verify_peer', 'ssl_options.fail_if_no_peer_cert = true')
  }
  writeFileSync(join(folder, 'rabbitmq.conf'), `${lines.join('\n')}\n`)
}

/** In the foreground: else the broker would leave one running behind it. */
async function startEpmd(plan: Plan): Promise<Guarded> {
  const epmdLog = join(plan.folder, 'epmd.log')
  const epmd = await startGuarded({
    command: 'epmd',
    args: ['-port', String(plan.epmdPort), '-address', '127.0.0.1'],
    cwd: plan.folder,
    env: plan.env,
    stopSignal: 'SIGTERM',
    logFile: epmdLog,
  })
  await until(
    () => answers(plan.epmdPort),
    epmd,
    () => `The port mapper of RabbitMQ did not start:\n${logTail(epmdLog)}`,
  )
  return epmd
}

async function startServer(plan: Plan): Promise<Guarded> {
  // "Started" must be this start's word, not the last one's.
  rmSync(plan.logFile, { force: true })
  const server = await startGuarded({
    command: join(SCRIPTS, 'rabbitmq-server'),
    args: [],
    cwd: plan.folder,
    env: plan.env,
    stopSignal: 'SIGTERM',
    logFile: plan.logFile,
  })
  const isReady = () => Promise.resolve(readFileSync(plan.logFile, 'utf8').includes(STARTED))
  await until(isReady, server, () => `RabbitMQ did not start:\n${logTail(plan.logFile)}`)
  return server
}

async function until(
  isReady: () => Promise<boolean>,
  process: Guarded,
  problem: () => string,
): Promise<void> {
  const deadlineMs = Date.now() + READY_LIMIT_MS
  while (Date.now() < deadlineMs && !process.hasExited) {
    if (await isReady()) return
    await wait(POLL_MS)
  }
  await process.stop()
  throw new Problem(problem())
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

function ctl(plan: Plan, args: readonly string[]): Promise<string> {
  const path = [SCRIPTS, process.env['PATH'] ?? ''].join(delimiter)
  const child = spawn(join(SCRIPTS, 'rabbitmqctl'), ['--quiet', ...args], {
    env: { ...plan.env, PATH: path },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  child.stderr.on('data', (chunk: Buffer) => chunks.push(chunk))
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => {
      const said = Buffer.concat(chunks).toString('utf8')
      if (code === 0) resolve(said)
      else reject(new Error(`rabbitmqctl ${args.join(' ')}: ${said}`))
    })
  })
}
