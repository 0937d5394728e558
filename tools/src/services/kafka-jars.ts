import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SECOND } from '@barnabas/domain'
import { cacheDir } from '../paths.js'
import { Problem } from '../problem.js'

const KAFKA_VERSION = '4.4.0'
/** Without a binding of its logging facade Kafka logs nothing. */
const LOG4J_VERSION = '2.25.5'
const MIN_JAVA = 17

const POM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>barnabas</groupId>
  <artifactId>kafka-for-one-machine</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${KAFKA_VERSION}</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>${LOG4J_VERSION}</version></dependency>
  </dependencies>
</project>
`

/** Throws a problem that names the package to install when Java is missing or too old. */
export function checkJava(): void {
  const { error, stderr, stdout } = spawnSync('java', ['-version'], { encoding: 'utf8' })
  const text = `${stderr ?? ''}${stdout ?? ''}`
  const major = Number(/version "(\d+)/.exec(text)?.[1] ?? 0)
  if (!error && major >= MIN_JAVA) return
  const found = error || major === 0 ? 'no Java was found' : `the Java found is version ${major}`
  throw new Problem(
    `Kafka runs on Java ${MIN_JAVA} or newer, and ${found}.\n` +
      'Install it (Debian and Ubuntu: apt-get install openjdk-17-jre-headless), or set KAFKA_BROKERS to a Kafka of your own.',
  )
}

/** The folder with Kafka's jars; fetched by Maven the first time, some 43 MB. Two at once do not disturb each other. */
export async function kafkaJars(say: (line: string) => void): Promise<string> {
  const folder = join(cacheDir(), `kafka-${KAFKA_VERSION}`)
  if (existsSync(folder)) return folder
  checkMaven()
  mkdirSync(cacheDir(), { recursive: true })
  const unfinished = mkdtempSync(join(cacheDir(), 'kafka-unfinished-'))
  try {
    say(`Fetching Apache Kafka ${KAFKA_VERSION} with Maven, once (43 MB) …`)
    await fetchJars(unfinished, say)
    if (!existsSync(folder)) renameSync(join(unfinished, 'jars'), folder)
  } finally {
    rmSync(unfinished, { recursive: true, force: true })
  }
  return folder
}

function checkMaven(): void {
  const { error, status } = spawnSync('mvn', ['--version'], { stdio: 'ignore' })
  if (!error && status === 0) return
  throw new Problem(
    'Kafka is fetched with Maven, and no mvn was found.\n' +
      'Install it (Debian and Ubuntu: apt-get install maven), or set KAFKA_BROKERS to a Kafka of your own.',
  )
}

const PROGRESS_INTERVAL_MS = 3_000

async function fetchJars(folder: string, say: (line: string) => void): Promise<void> {
  const pom = join(folder, 'pom.xml')
  const jars = join(folder, 'jars')
  writeFileSync(pom, POM)
  mkdirSync(jars)
  const beganMs = performance.now()
  // Maven gathers everything in its own folder first and copies it here at the very end.
  const progress = setInterval(() => {
    const seconds = Math.round((performance.now() - beganMs) / SECOND)
    say(`  … ${seconds} s; with an empty Maven cache it takes some 15 to 60 s`)
  }, PROGRESS_INTERVAL_MS)
  const goal = ['dependency:copy-dependencies', '-DincludeScope=runtime', `-DoutputDirectory=${jars}`]
  const { code, output } = await runMaven(['-q', '-B', '-f', pom, ...goal])
  clearInterval(progress)
  if (code === 0) return
  throw new Problem(
    `Maven could not fetch Apache Kafka:\n${output.slice(0, 2_000)}\n` +
      'Check that Maven reaches a repository (its settings are in ~/.m2/settings.xml), or set KAFKA_BROKERS to a Kafka of your own.',
  )
}

function runMaven(args: readonly string[]): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn('mvn', args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, output }))
  })
}
