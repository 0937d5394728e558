import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { cacheDir } from '../paths.js'
import { freePort } from '../ports.js'
import { Problem } from '../problem.js'
import { startGuarded, type Guarded } from '../services/guarded.js'
import { checkJava } from '../services/kafka-jars.js'
import { logTail } from '../services/log-tail.js'

export interface SchemaRegistryTarget {
  /** Base URL of the API that Confluent's registry has. */
  readonly url: string
  /** Safe to call twice. */
  stop(): Promise<void>
}

/** The newest that runs on Java 17 and opens no second port. */
const VERSION = '3.0.9'
const ARTIFACT = `io.apicurio:apicurio-registry-app:${VERSION}:tar.gz:all`
const JAR = `apicurio-registry-app-${VERSION}-runner.jar`
const READY_LIMIT_MS = 90_000
const POLL_MS = 100

/** Starts a real Apicurio Registry on loopback, which keeps everything in memory; resolves when it serves, after 5 s. */
export async function startSchemaRegistry({
  dataDir,
}: {
  readonly dataDir: string
}): Promise<SchemaRegistryTarget> {
  checkJava()
  const folder = registryFolder()
  const port = await freePort()
  const url = `http://127.0.0.1:${port}/apis/ccompat/v7`
  const logFile = join(dataDir, 'schema-registry.log')
  const guarded = await startGuarded({
    command: 'java',
    args: [
      '-Xmx256m',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-Dquarkus.http.host=127.0.0.1',
      `-Dquarkus.http.port=${port}`,
      '-jar',
      join(folder, JAR),
    ],
    cwd: dataDir,
    stopSignal: 'SIGTERM',
    logFile,
  })
  await untilReady(`${url}/subjects`, guarded, logFile)
  return { url, stop: guarded.stop }
}

/** Fetches what `startSchemaRegistry` needs, once; before tests whose limits do not leave minutes for that. */
export function prepareSchemaRegistry(): Promise<void> {
  registryFolder()
  return Promise.resolve()
}

/** Fetched by Maven the first time, 109 MB. Two at once do not disturb each other. */
function registryFolder(): string {
  const folder = join(cacheDir(), `apicurio-registry-${VERSION}`)
  if (existsSync(folder)) return folder
  mkdirSync(cacheDir(), { recursive: true })
  const unfinished = mkdtempSync(join(cacheDir(), 'apicurio-unfinished-'))
  try {
    run(
      'mvn',
      ['-q', '-B', 'dependency:copy', `-Dartifact=${ARTIFACT}`, `-DoutputDirectory=${unfinished}`],
      unfinished,
    )
    const [archive = ''] = readdirSync(unfinished)
    run('tar', ['xzf', join(unfinished, archive), '-C', unfinished], unfinished)
    rmSync(join(unfinished, archive))
    if (!existsSync(folder)) renameSync(unfinished, folder)
  } finally {
    rmSync(unfinished, { recursive: true, force: true })
  }
  return folder
}

function run(command: string, args: readonly string[], cwd: string): void {
  const { error, status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  if (!error && status === 0) return
  throw new Problem(
    `The tests of the schema registry fetch Apicurio Registry with Maven, and that failed:\n${stdout ?? ''}${stderr ?? ''}\n` +
      'Install it (Debian and Ubuntu: apt-get install maven openjdk-17-jre-headless).',
  )
}

async function untilReady(url: string, guarded: Guarded, logFile: string): Promise<void> {
  const deadlineMs = Date.now() + READY_LIMIT_MS
  while (Date.now() < deadlineMs && !guarded.hasExited) {
    const response = await fetch(url).catch(() => null)
    if (response?.ok) return
    await wait(POLL_MS)
  }
  await guarded.stop()
  throw new Problem(`The schema registry did not start:\n${logTail(logFile)}`)
}
