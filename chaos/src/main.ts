import { appendFile, writeFile } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describeMachine } from '@barnabas/tools'
import { readArguments, type Arguments } from './arguments.js'
import { setPatience } from './patience.js'
import type { Outcome, Recipe } from './recipe.js'
import { RECIPES } from './recipes/index.js'
import { isPassed, remarkOf, renderRun, type Verdict } from './table.js'
import { startWorld, type World } from './world.js'

const RESULTS_FILE = fileURLToPath(new URL('../RESULTS.md', import.meta.url))
/** No recipe takes longer unless something hangs; then it is broken off, and the next one begins. */
const RECIPE_LIMIT_MS = 10 * 60_000

let starting: Promise<World> | null = null
let world: World | null = null
let stopping: Promise<void> = Promise.resolve()
let isStopping = false

/** With the second of the run. */
const say = (sentence: string): void =>
  void process.stderr.write(`${String(Math.round(performance.now() / 1_000)).padStart(4)} s ${sentence}\n`)

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** May be asked from several sides; all wait for the same end. */
function stopWorld(): Promise<void> {
  const stopped = world
  world = null
  if (stopped) stopping = stopped.stop().catch((error: unknown) => say(`could not stop: ${messageOf(error)}`))
  return stopping
}

async function runRecipe(recipe: Recipe, isShort: boolean): Promise<Verdict> {
  const scale = (isShort ? recipe.shortScale : null) ?? recipe.scale
  const beganAtMs = Date.now()
  say(`${recipe.id} ${recipe.title}: ${scale}`)
  const end = await tryRecipe(recipe, isShort)
  const verdict: Verdict = { recipe, scale, load: loadavg()[0] ?? 0, ...end }
  if (!isPassed(verdict) && world) await keepLines(recipe, world.lines.toArray())
  await stopWorld()
  const seconds = Math.round((Date.now() - beganAtMs) / 1_000)
  say(`${remarkOf(verdict)}\n${recipe.id} ${isPassed(verdict) ? 'passed' : 'FAILED'} after ${seconds} s`)
  return verdict
}

async function tryRecipe(
  recipe: Recipe,
  isShort: boolean,
): Promise<{ outcome: Outcome } | { brokeOff: string }> {
  try {
    starting = startWorld({ plan: recipe.stack, isShort, say })
    world = await starting
    return { outcome: await withinLimit(recipe.run(world)) }
  } catch (error) {
    return { brokeOff: messageOf(error) }
  }
}

async function withinLimit<Output>(work: Promise<Output>): Promise<Output> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`not finished after ${RECIPE_LIMIT_MS / 60_000} minutes`)),
      RECIPE_LIMIT_MS,
    )
  })
  try {
    return await Promise.race([work, limit])
  } finally {
    clearTimeout(timer)
  }
}

/** What the apps logged, for whoever has to find out why a verdict failed. */
async function keepLines({ id }: Recipe, lines: readonly string[]): Promise<void> {
  const file = join(tmpdir(), `barnabas-chaos-${id}-${process.pid}.log`)
  await writeFile(file, lines.map((line) => `${line}\n`).join(''))
  say(`  what the apps logged is in ${file}`)
}

function list(): void {
  for (const { id, title, scale, shortScale } of RECIPES) {
    process.stdout.write(`${id} ${title}: ${scale}\n`)
    if (shortScale !== undefined) process.stdout.write(`${' '.repeat(id.length)} short: ${shortScale}\n`)
  }
}

async function run({ recipes, isShort, isRecorded }: Arguments): Promise<number> {
  const startedAt = new Date()
  const verdicts: Verdict[] = []
  for (const recipe of recipes) {
    const verdict = await runRecipe(recipe, isShort)
    // What fails because everything is being stopped is no news.
    if (isStopping) return 1
    verdicts.push(verdict)
  }
  const text = renderRun(startedAt, describeMachine(), verdicts)
  process.stdout.write(`\n${text}\n`)
  if (isRecorded) await appendFile(RESULTS_FILE, `\n${text}\n`)
  return verdicts.every(isPassed) ? 0 : 1
}

/** What is being started is waited for, so that nothing of it stays; a second Ctrl-C does not wait. */
async function stopEarly(): Promise<void> {
  isStopping = true
  say('chaos: interrupted, stopping')
  await starting?.catch(() => undefined)
  await stopWorld()
  process.exit(1)
}

async function main(): Promise<number> {
  try {
    const given = readArguments(process.argv.slice(2), RECIPES)
    setPatience(given.patience)
    if (!given.isList) return await run(given)
    list()
    return 0
  } catch (error) {
    say(`chaos: ${messageOf(error)}`)
    return 1
  }
}

process.once('SIGINT', () => void stopEarly())
process.once('SIGTERM', () => void stopEarly())
process.exit(await main())
