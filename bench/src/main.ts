import { appendFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { createDestination } from './api.js'
import type { GeneratorCommands } from './generator.js'
import { measureIsolation } from './isolation.js'
import { describeMachine } from './machine.js'
import { measureLatency, measureRawLoop, measureThroughput, untilDelivering, type Bench } from './measure.js'
import type { ReceiverCommands } from './receiver.js'
import { renderReport, type Report } from './report.js'
import { startStack } from './stack.js'
import { Worker } from './worker.js'

const RESULTS_FILE = fileURLToPath(new URL('../RESULTS.md', import.meta.url))
const RECORD_FLAG = '--record'
/** The two loads that the figures are stated for. */
const IN_FLIGHT = [64, 256]
const FIRST_DELIVERY_MS = 30_000
/** Nothing takes longer unless something hangs; then the bench says so and stops what it started. */
const WHOLE_RUN_MS = 6 * 60_000
const GENERATOR_FILE = new URL('./generator.js', import.meta.url)

/** Everything to be stopped, last opened first. */
const stops: (() => Promise<void>)[] = []

let stopping: Promise<void> | null = null

/** May be asked from several sides; all wait for the same end. */
const stopAll = (): Promise<void> => (stopping ??= stopInTurn())

async function stopInTurn(): Promise<void> {
  for (let stop = stops.pop(); stop; stop = stops.pop()) {
    await stop().catch((error: unknown) => say(`could not stop: ${String(error)}`))
  }
}

const say = (sentence: string): void => void process.stderr.write(`${sentence}\n`)

async function run(): Promise<Report> {
  const startedAt = new Date()
  const stack = await startStack({ say, onStarted: (stop) => stops.push(stop) })
  const receiver = await Worker.start<ReceiverCommands>(new URL('./receiver.js', import.meta.url))
  stops.push(() => receiver.stop())
  const generator = await Worker.start<GeneratorCommands>(GENERATOR_FILE)
  stops.push(() => generator.stop())
  const { url: receiverUrl } = await receiver.ask('listen', null)
  const target = { origin: stack.origin, apiKey: stack.apiKey, tenantId: 'bench' }
  await createDestination(target, receiverUrl)
  const pidByName = new Map([...stack.pidByName, ['generator', generator.pid], ['receiver', receiver.pid]])
  const bench: Bench = { target, receiverUrl, receiver, generator, pidByName }
  await untilDelivering(bench, FIRST_DELIVERY_MS)
  return measureAll(bench, startedAt)
}

async function measureAll(bench: Bench, startedAt: Date): Promise<Report> {
  const throughput = []
  for (const inFlight of IN_FLIGHT) {
    say(`throughput with ${inFlight} publishes in flight …`)
    throughput.push(await measureThroughput(bench, inFlight))
  }
  say('latency at a fixed rate …')
  const latency = await measureLatency(bench)
  say('isolation from a black hole …')
  const isolation = await measureIsolation(bench, GENERATOR_FILE)
  const raw = []
  for (const inFlight of IN_FLIGHT) {
    say(`raw POST loop with ${inFlight} requests in flight …`)
    raw.push({ inFlight, throughput: await measureRawLoop(bench, inFlight) })
  }
  return { startedAt, machine: describeMachine(), throughput, latency, isolation, raw }
}

async function main(): Promise<number> {
  try {
    const text = renderReport(await run())
    process.stdout.write(`\n${text}\n`)
    if (process.argv.includes(RECORD_FLAG)) await appendFile(RESULTS_FILE, `\n${text}\n`)
    return 0
  } catch (error) {
    // What fails because everything is being stopped is no news.
    if (!stopping) say(`bench: ${error instanceof Error ? error.message : String(error)}`)
    return 1
  } finally {
    await stopAll()
  }
}

function stopEarly(reason: string): void {
  say(`bench: ${reason}, stopping`)
  void stopAll().then(() => process.exit(1))
}

process.once('SIGINT', () => stopEarly('interrupted'))
process.once('SIGTERM', () => stopEarly('terminated'))
setTimeout(() => stopEarly(`not finished after ${WHOLE_RUN_MS / 60_000} minutes`), WHOLE_RUN_MS).unref()
process.exit(await main())
