import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { Problem } from '../problem.js'
import { startGuarded } from './guarded.js'
import { logTail } from './log-tail.js'
import type { Service } from './service.js'

/** One Kafka process: broker and controller in one. */
export interface KafkaNodeOptions {
  /** Folder of Kafka's jars. */
  readonly jars: string
  /** Kept from one start to the next. */
  readonly folder: string
  readonly logFile: string
  /** From 1. */
  readonly id: number
  readonly port: number
  /** Where clients are told to connect to, when that is not the port itself but something in front of it. */
  readonly advertisedPort?: number | undefined
  /** Ports of the controllers, by node, node 1 first. */
  readonly controllerPorts: readonly number[]
  /** The same for all nodes of a cluster; used when the folder is new. */
  readonly clusterId: string
  /** The quick compiler only: starts in two thirds of the time and runs slower. */
  readonly isFast: boolean
  /** For targets of tests: what is not part of the Kafka that this project itself runs on. */
  readonly extras?: KafkaNodeExtras
}

export interface KafkaNodeExtras {
  readonly listeners: readonly KafkaListener[]
  /** Lines of server.properties. */
  readonly properties: readonly string[]
  /** Users as Kafka's storage tool takes them, `SCRAM-SHA-256=[name=…,password=…]`. */
  readonly scramUsers: readonly string[]
}

export interface KafkaListener {
  readonly name: string
  readonly protocol: 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL' | 'PLAINTEXT'
  readonly port: number
  readonly advertisedPort?: number
}

const NO_EXTRAS: KafkaNodeExtras = { listeners: [], properties: [], scramUsers: [] }

const READY_LIMIT_MS = 90_000
const POLL_MS = 50
const STARTED = 'Kafka Server started'
/** Three share a machine. */
const HEAP_MIB = { alone: 512, ofSeveral: 384 }
/** A cluster keeps three copies of its inner topics, and writes none that fewer than two would hold. */
const COPIES = { alone: { factor: 1, leastInSync: 1 }, ofSeveral: { factor: 3, leastInSync: 2 } }

const kindOf = ({ controllerPorts }: KafkaNodeOptions) => (controllerPorts.length > 1 ? 'ofSeveral' : 'alone')

/** Starts one node on loopback; resolves when it serves. Of several nodes a majority must be started at once. */
export async function startKafkaNode(options: KafkaNodeOptions): Promise<Service> {
  const { jars, folder, logFile, port } = options
  mkdirSync(folder, { recursive: true })
  const config = writeConfig(options)
  const classpath = join(jars, '*')
  if (!existsSync(join(folder, 'data', 'meta.properties'))) format(options, classpath, config)
  // "Started" must be this start's word, not the last one's.
  rmSync(logFile, { force: true })
  const guarded = await startGuarded({
    command: 'java',
    args: [...javaOptions(options), '-cp', classpath, 'kafka.Kafka', config],
    cwd: folder,
    stopSignal: 'SIGTERM',
    logFile,
  })
  await untilReady(port, logFile, () => guarded.hasExited)
  const { pid, exited } = guarded
  return { port, pid, exited, stop: guarded.stop, kill9: guarded.kill9 }
}

const javaOptions = (options: KafkaNodeOptions): string[] => [
  '-Xms128m',
  `-Xmx${HEAP_MIB[kindOf(options)]}m`,
  '-XX:+UseSerialGC',
  ...(options.isFast ? ['-XX:TieredStopAtLevel=1'] : []),
  `-Dlog4j2.configurationFile=${join(options.folder, 'log4j2.properties')}`,
]

function writeConfig(options: KafkaNodeOptions): string {
  const file = join(options.folder, 'server.properties')
  writeFileSync(file, serverProperties(options))
  writeFileSync(join(options.folder, 'log4j2.properties'), LOG4J)
  return file
}

function serverProperties(options: KafkaNodeOptions): string {
  const { id, port, advertisedPort = port, controllerPorts, folder } = options
  const voters = controllerPorts.map((controllerPort, index) => `${index + 1}@127.0.0.1:${controllerPort}`)
  const { factor, leastInSync } = COPIES[kindOf(options)]
  const { listeners, properties } = options.extras ?? NO_EXTRAS
  const extra = (line: (listener: KafkaListener) => string) =>
    listeners.map((one) => `,${line(one)}`).join('')
  return `process.roles=broker,controller
node.id=${id}
controller.quorum.voters=${voters.join(',')}
listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPorts[id - 1] ?? 0}${extra(({ name, port: own }) => `${name}://127.0.0.1:${own}`)}
advertised.listeners=PLAINTEXT://127.0.0.1:${advertisedPort}${extra((one) => `${one.name}://127.0.0.1:${one.advertisedPort ?? one.port}`)}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT${extra(({ name, protocol }) => `${name}:${protocol}`)}
inter.broker.listener.name=PLAINTEXT
log.dirs=${join(folder, 'data')}
min.insync.replicas=${leastInSync}
offsets.topic.replication.factor=${factor}
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=${factor}
transaction.state.log.min.isr=${leastInSync}
share.coordinator.state.topic.replication.factor=${factor}
share.coordinator.state.topic.min.isr=${leastInSync}
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
${properties.map((line) => `${line}\n`).join('')}`
}

const LOG4J = `status=error
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=info
rootLogger.appenderRef.console.ref=console
`

/** 16 bytes in unpadded base64url. One that begins with a dash would be taken for an option of the tool. */
export function newClusterId(): string {
  const id = randomBytes(16).toString('base64url')
  return id.startsWith('-') ? newClusterId() : id
}

function format(
  { folder, clusterId, extras = NO_EXTRAS }: KafkaNodeOptions,
  classpath: string,
  config: string,
): void {
  rmSync(join(folder, 'data'), { recursive: true, force: true })
  const tool = ['-cp', classpath, 'kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', config]
  for (const user of extras.scramUsers) tool.push('--add-scram', user)
  const { status, stderr, stdout } = spawnSync('java', tool, { encoding: 'utf8', cwd: folder })
  if (status !== 0) throw new Problem(`Kafka could not create its data in ${folder}:\n${stdout}${stderr}`)
}

async function untilReady(port: number, logFile: string, hasExited: () => boolean): Promise<void> {
  const deadlineMs = Date.now() + READY_LIMIT_MS
  while (Date.now() < deadlineMs && !hasExited()) {
    if (hasSaidStarted(logFile) && (await answers(port))) return
    await wait(POLL_MS)
  }
  throw new Problem(`Kafka did not start; its log is ${logFile}:\n${logTail(logFile)}`)
}

function hasSaidStarted(logFile: string): boolean {
  try {
    return readFileSync(logFile, 'utf8').includes(STARTED)
  } catch {
    return false
  }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.once('connect', () => resolve(true))
    socket.once('error', () => resolve(false))
    socket.once('close', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}
