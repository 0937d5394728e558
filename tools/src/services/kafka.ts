import { join } from 'node:path'
import { freePort } from '../ports.js'
import { checkJava, kafkaJars } from './kafka-jars.js'
import { newClusterId, startKafkaNode } from './kafka-node.js'
import type { Service } from './service.js'

export interface KafkaServiceOptions {
  /** Kept from one start to the next. */
  readonly dataDir: string
  /** Taken when it is free. */
  readonly port?: number | undefined
  /** Where clients are told to connect to, when something stands in front of Kafka. */
  readonly advertisedPort?: number | undefined
  /** For tests: the quick compiler only. Starts in two thirds of the time and runs slower. */
  readonly isFast?: boolean
  /** Shown to people: what takes long. */
  readonly say?: (line: string) => void
}

export interface KafkaService extends Service {
  /** `host:port`. */
  readonly brokers: string
}

/** Starts a real Apache Kafka (KRaft, one node) on loopback; resolves when it serves. */
export async function startKafka(options: KafkaServiceOptions): Promise<KafkaService> {
  const { dataDir, advertisedPort, isFast = false, say = () => undefined } = options
  checkJava()
  const port = await freePort(options.port)
  const node = await startKafkaNode({
    jars: await kafkaJars(say),
    folder: join(dataDir, 'kafka'),
    logFile: join(dataDir, 'kafka.log'),
    id: 1,
    port,
    advertisedPort,
    controllerPorts: [await freePort()],
    clusterId: newClusterId(),
    isFast,
  })
  return { ...node, brokers: `127.0.0.1:${advertisedPort ?? port}` }
}
