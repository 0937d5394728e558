import { appendFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describeMachine } from '@barnabas/tools'
import { readOptions, type Options } from './options.js'
import { renderHead } from './report/report.js'
import { runPhases } from './run-phases.js'
import { Stops } from './stops.js'

const RESULTS_FILE = fileURLToPath(new URL('../RESULTS.md', import.meta.url))
/**
 * All phases take about twenty minutes. Nothing takes longer than this unless something hangs; then the bench says
 * so and stops what it started.
 */
const WHOLE_RUN_MS = 30 * 60_000

const say = (sentence: string): void => void process.stderr.write(`${sentence}\n`)
const stops = new Stops(say)

async function run(options: Options): Promise<number> {
  const head = renderHead(new Date(), describeMachine())
  process.stdout.write(`\n${head}\n`)
  const { sections, isComplete } = await runPhases(options, {
    say,
    stops,
    // Shown as soon as it is known: a later phase may fail.
    show: (section) => void process.stdout.write(`\n${section}\n`),
  })
  if (options.isRecorded && sections.length > 0)
    await appendFile(RESULTS_FILE, `\n${[head, ...sections].join('\n\n')}\n`)
  return isComplete ? 0 : 1
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2))
  if ('mistake' in options) {
    say(`bench: ${options.mistake}`)
    return 2
  }
  try {
    return await run(options)
  } catch (error) {
    // What fails because everything is being stopped is no news.
    if (!stops.areAsked) say(`bench: ${error instanceof Error ? error.message : String(error)}`)
    return 1
  } finally {
    await stops.all()
  }
}

function stopEarly(reason: string): void {
  say(`bench: ${reason}, stopping`)
  void stops.all().then(() => process.exit(1))
}

process.once('SIGINT', () => stopEarly('interrupted'))
process.once('SIGTERM', () => stopEarly('terminated'))
setTimeout(() => stopEarly(`not finished after ${WHOLE_RUN_MS / 60_000} minutes`), WHOLE_RUN_MS).unref()
process.exit(await main())
