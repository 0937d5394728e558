import { join } from 'node:path'
import { freePort } from '../ports.js'
import { checkJava, kafkaJars } from './kafka-jars.js'
import { newClusterId, startKafkaNode, type KafkaNodeOptions } from './kafka-node.js'
import type { KafkaServiceOptions } from './kafka.js'
import type { Service } from './service.js'

/** A Kafka of three nodes on loopback, of which one may be away: each record has three copies, two of them in sync. */
export interface KafkaCluster {
  /** `host:port` of all, separated by commas. */
  readonly brokers: string
  /** Numbers of the nodes, from 1: the broker ids that Kafka's metadata tell. */
  readonly ids: readonly number[]
  /** `kill -9` of one node. */
  kill9(id: number): Promise<void>
  /** Starts a node again, on its data and at its old place; resolves when it serves. */
  restart(id: number): Promise<void>
  /** Ends all nodes. Safe to call twice. */
  stop(): Promise<void>
}

const IDS = [1, 2, 3] as const

/** Starts all three at once; resolves when each of them serves. Throws when one of them does not. */
export async function startKafkaCluster(
  options: Pick<KafkaServiceOptions, 'dataDir' | 'isFast' | 'say'>,
): Promise<KafkaCluster> {
  const nodes = await plan(options)
  const running = new Map<number, Service>()
  const start = async (id: number): Promise<void> => {
    const node = nodes.find((candidate) => candidate.id === id)
    if (!node) throw new Error(`there is no node ${id}`)
    running.set(id, await startKafkaNode(node))
  }
  const stop = async (): Promise<void> => {
    await Promise.all([...running.values()].map((node) => node.stop()))
  }
  const starts = await Promise.allSettled(IDS.map(start))
  const failure = starts.find((result) => result.status === 'rejected')
  if (failure) {
    await stop()
    throw failure.reason
  }
  return {
    brokers: nodes.map(({ port }) => `127.0.0.1:${port}`).join(','),
    ids: IDS,
    kill9: async (id) => running.get(id)?.kill9(),
    restart: start,
    stop,
  }
}

async function plan({
  dataDir,
  isFast = false,
  say = () => undefined,
}: Pick<KafkaServiceOptions, 'dataDir' | 'isFast' | 'say'>): Promise<KafkaNodeOptions[]> {
  checkJava()
  const jars = await kafkaJars(say)
  const clusterId = newClusterId()
  const [ports, controllerPorts] = [await freePorts(IDS.length), await freePorts(IDS.length)]
  return IDS.map((id, index) => ({
    jars,
    folder: join(dataDir, `kafka-${id}`),
    logFile: join(dataDir, `kafka-${id}.log`),
    id,
    port: ports[index] ?? 0,
    controllerPorts,
    clusterId,
    isFast,
  }))
}

async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) ports.add(await freePort())
  return [...ports]
}
