import { spawn } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { freePort } from '../ports.js'
import { Problem } from '../problem.js'
import { startGuarded } from '../services/guarded.js'
import { logTail } from '../services/log-tail.js'
import type { Service } from '../services/service.js'
import { throwawayFolder } from '../services/throwaway.js'
import { builtOnce } from './once.js'

const ELASTICMQ_VERSION = '1.7.1'
const READY_LIMIT_MS = 60_000
const POLL_MS = 100

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>barnabas</groupId>
  <artifactId>elasticmq-for-tests</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.elasticmq</groupId><artifactId>elasticmq-server_2.13</artifactId><version>${ELASTICMQ_VERSION}</version></dependency>
  </dependencies>
</project>
`

export interface ElasticMq extends Service {
  /** `http://127.0.0.1:port`; the account of queue URLs is `000000000000`. */
  readonly url: string
}

/** SQS on one machine: https://github.com/softwaremill/elasticmq. In memory. Fetched with Maven the first time, 37 MB. */
export async function startElasticMq(): Promise<ElasticMq> {
  const jars = await elasticMqJars()
  const port = await freePort()
  const folder = throwawayFolder('elasticmq')
  const logFile = join(folder, 'elasticmq.log')
  const guarded = await startGuarded({
    command: 'java',
    args: [
      '-Xmx128m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1',
      '-Dnode-address.host=127.0.0.1', `-Dnode-address.port=${port}`,
      '-Drest-sqs.bind-hostname=127.0.0.1', `-Drest-sqs.bind-port=${port}`, '-Drest-stats.enabled=false',
      '-cp', join(jars, '*'), 'org.elasticmq.server.Main',
    ], // prettier-ignore
    cwd: folder,
    stopSignal: 'SIGTERM',
    logFile,
  })
  const url = `http://127.0.0.1:${port}`
  const stop = async (): Promise<void> => {
    await guarded.stop()
    rmSync(folder, { recursive: true, force: true })
  }
  if (await answers(url, () => guarded.hasExited))
    return { port, url, pid: guarded.pid, exited: guarded.exited, kill9: guarded.kill9, stop }
  const log = logTail(logFile)
  await stop()
  throw new Problem(
    `ElasticMQ did not start at ${url}; it needs Java 17 (Debian and Ubuntu: apt-get install openjdk-17-jre-headless).\n${log}`,
  )
}

/** Fetches what `startElasticMq` needs, once; before tests whose limits do not leave a minute for that. */
export async function prepareElasticMq(): Promise<void> {
  await elasticMqJars()
}

const elasticMqJars = (): Promise<string> =>
  builtOnce(`elasticmq-${ELASTICMQ_VERSION}`, async (folder) => {
    const pom = join(folder, 'pom.xml')
    writeFileSync(pom, POM)
    const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${folder}`]
    const { code, output } = await maven(['-q', '-B', '-f', pom, ...goal])
    if (code !== 0)
      throw new Problem(
        `Maven could not fetch ElasticMQ ${ELASTICMQ_VERSION} (Debian and Ubuntu: apt-get install maven):\n${output.slice(0, 2_000)}`,
      )
  })

/** Resolves also when there is no Maven. */
function maven(args: readonly string[]): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    const child = spawn('mvn', args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.once('error', ({ message }) => resolve({ code: null, output: message }))
    child.once('close', (code) => resolve({ code, output }))
  })
}

async function answers(url: string, hasExited: () => boolean): Promise<boolean> {
  const deadlineMs = Date.now() + READY_LIMIT_MS
  while (Date.now() < deadlineMs && !hasExited()) {
    // Any status: without an action there is nothing that it could do.
    const response = await fetch(url).catch(() => null)
    await response?.body?.cancel()
    if (response) return true
    await wait(POLL_MS)
  }
  return false
}
