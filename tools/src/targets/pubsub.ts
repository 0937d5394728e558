import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cacheDir, root } from '../paths.js'
import { freePort } from '../ports.js'
import { Problem } from '../problem.js'
import { startTargetServer, type TargetServer } from './target-server.js'

/** What a Pub/Sub server does to requests. */
export interface PubsubFault {
  /** `Publish` unless it is this one. */
  readonly method?: 'GetTopic'
  /** gRPC status code; 0 = let it pass. */
  readonly code: number
  /** How often; -1 = always. */
  readonly times: number
  /** Only requests to this topic, `projects/…/topics/…`. */
  readonly topic?: string
  /** Only requests with a message whose attribute `fault` is this. */
  readonly marked?: string
}

export interface PubsubMessage {
  readonly data: Buffer
  readonly attributes: Readonly<Record<string, string>>
  readonly orderingKey: string
  readonly topic: string
}

export interface PubsubTarget extends TargetServer {
  /** `projects/…/topics/…`. Topics and messages are forgotten when it restarts. */
  createTopic(name: string, labels?: Readonly<Record<string, string>>): Promise<void>
  /** In place of those that the topic had. */
  setLabels(name: string, labels: Readonly<Record<string, string>>): Promise<void>
  /** In place of the faults that were set before. */
  setFaults(faults: readonly PubsubFault[]): Promise<void>
  /** In the order in which they came. */
  messages(): Promise<readonly PubsubMessage[]>
}

/** Starts Google's in-memory Pub/Sub server on loopback; the first start on a machine builds it, about 2 minutes. */
export async function startPubsub(): Promise<PubsubTarget> {
  const program = await pubsubProgram()
  const port = await freePort()
  const controlPort = await freePort()
  const server = await startTargetServer({
    name: 'pubsub',
    // The program opens it after the other one.
    port: controlPort,
    command: program,
    install: GO,
    args: () => ['-port', String(port), '-control', String(controlPort)],
  })
  const ask = async (method: string, path: string, body?: unknown): Promise<string> => {
    const response = await fetch(`http://127.0.0.1:${controlPort}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text
  }
  return {
    ...server,
    port,
    createTopic: async (name, labels = {}) => {
      await ask('POST', '/topics', { name, labels })
    },
    setLabels: async (name, labels) => {
      await ask('PUT', '/labels', { name, labels })
    },
    setFaults: async (faults) => {
      await ask('PUT', '/faults', faults)
    },
    messages: async () => {
      const list = JSON.parse(await ask('GET', '/messages')) as (Omit<PubsubMessage, 'data'> & {
        data: string | null
      })[]
      return list.map((one) => ({
        ...one,
        attributes: one.attributes ?? {},
        data: Buffer.from(one.data ?? '', 'base64'),
      }))
    },
  }
}

/** Builds what `startPubsub` needs, once; before tests whose limits do not leave minutes for that. */
export async function preparePubsub(): Promise<void> {
  await pubsubProgram()
}

const GO = 'Go 1.24 or newer, https://go.dev/dl (Debian: apt-get install golang-1.24 from backports)'
const SOURCES = ['main.go', 'go.mod', 'go.sum']

/** Built once for each version of its sources. */
async function pubsubProgram(): Promise<string> {
  const folder = join(root, 'tools', 'src', 'targets', 'pubsub')
  const hash = createHash('sha256')
  for (const name of SOURCES) hash.update(readFileSync(join(folder, name)))
  const program = join(cacheDir(), `pubsub-target-${hash.digest('hex').slice(0, 16)}`)
  if (existsSync(program)) return program
  mkdirSync(cacheDir(), { recursive: true })
  // Several test processes may build at once: each its own file, the last one stays.
  const mine = `${program}.${process.pid}`
  try {
    await promisify(execFile)('go', ['build', '-o', mine, '.'], { cwd: folder })
  } catch (error) {
    throw new Problem(`The Pub/Sub target could not be built (${String(error)}). It needs ${GO}.`)
  }
  renameSync(mine, program)
  return program
}
