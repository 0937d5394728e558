import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { freePort } from '../ports.js'
import { Problem } from '../problem.js'
import { startGuarded } from './guarded.js'
import { checkJava, kafkaJars } from './kafka-jars.js'
import type { Service } from './service.js'

export interface KafkaServiceOptions {
  /** Kept from one start to the next. */
  readonly dataDir: string
  /** Taken when it is free. */
  readonly port?: number | undefined
  /** For tests: the quick compiler only. Starts in two thirds of the time and runs slower. */
  readonly isFast?: boolean
  /** Shown to people: what takes long. */
  readonly say?: (line: string) => void
}

export interface KafkaService extends Service {
  /** `host:port`. */
  readonly brokers: string
}

const READY_LIMIT_MS = 90_000
const POLL_MS = 50
const STARTED = 'Kafka Server started'

/** Starts a real Apache Kafka (KRaft, one node) on loopback; resolves when it serves. */
export async function startKafka(options: KafkaServiceOptions): Promise<KafkaService> {
  const { dataDir, isFast = false, say = () => undefined } = options
  checkJava()
  const jars = await kafkaJars(say)
  const folder = join(dataDir, 'kafka')
  mkdirSync(folder, { recursive: true })
  const port = await freePort(options.port)
  const config = writeConfig(folder, port, await freePort())
  const classpath = join(jars, '*')
  if (!existsSync(join(folder, 'data', 'meta.properties'))) format(folder, classpath, config)
  const logFile = join(dataDir, 'kafka.log')
  // "Started" must be this start's word, not the last one's.
  rmSync(logFile, { force: true })
  const guarded = await startGuarded({
    command: 'java',
    args: [...javaOptions(folder, isFast), '-cp', classpath, 'kafka.Kafka', config],
    cwd: folder,
    stopSignal: 'SIGTERM',
    logFile,
  })
  await untilReady(port, logFile, () => guarded.hasExited)
  const { pid, exited } = guarded
  return { port, pid, exited, brokers: `127.0.0.1:${port}`, stop: guarded.stop, kill9: guarded.kill9 }
}

const javaOptions = (folder: string, isFast: boolean): string[] => [
  '-Xms128m',
  '-Xmx512m',
  '-XX:+UseSerialGC',
  ...(isFast ? ['-XX:TieredStopAtLevel=1'] : []),
  `-Dlog4j2.configurationFile=${join(folder, 'log4j2.properties')}`,
]

function writeConfig(folder: string, port: number, controllerPort: number): string {
  const file = join(folder, 'server.properties')
  writeFileSync(file, serverProperties(join(folder, 'data'), port, controllerPort))
  writeFileSync(join(folder, 'log4j2.properties'), LOG4J)
  return file
}

const serverProperties = (
  dataDir: string,
  port: number,
  controllerPort: number,
): string => `process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:${controllerPort}
listeners=PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controllerPort}
advertised.listeners=PLAINTEXT://127.0.0.1:${port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
log.dirs=${dataDir}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=8
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
`

const LOG4J = `status=error
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=[%d] %p %m (%c)%n
rootLogger.level=info
rootLogger.appenderRef.console.ref=console
`

/** 16 bytes in unpadded base64url. One that begins with a dash would be taken for an option of the tool. */
function newClusterId(): string {
  const id = randomBytes(16).toString('base64url')
  return id.startsWith('-') ? newClusterId() : id
}

function format(folder: string, classpath: string, config: string): void {
  rmSync(join(folder, 'data'), { recursive: true, force: true })
  const tool = ['-cp', classpath, 'kafka.tools.StorageTool', 'format', '-t', newClusterId(), '-c', config]
  const { status, stderr, stdout } = spawnSync('java', tool, { encoding: 'utf8', cwd: folder })
  if (status !== 0) throw new Problem(`Kafka could not create its data in ${folder}:\n${stdout}${stderr}`)
}

async function untilReady(port: number, logFile: string, hasExited: () => boolean): Promise<void> {
  const deadlineMs = Date.now() + READY_LIMIT_MS
  while (Date.now() < deadlineMs && !hasExited()) {
    if (hasSaidStarted(logFile) && (await answers(port))) return
    await wait(POLL_MS)
  }
  throw new Problem(`Kafka did not start; its log is ${logFile}.`)
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
