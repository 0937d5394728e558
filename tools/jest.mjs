// Runs jest with what it needs: flags for ES modules, and a real Kafka and PostgreSQL when integration or end-to-end
// tests are among the selected projects. Ends with one line: "N passed, N failed, N skipped".
import { spawn } from 'node:child_process'
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const SECOND_MS = 1_000
/** Longer than the timers that clients of destinations leave behind. */
const LEFT_OPEN_LIMIT_MS = 60_000
const PROJECTS = ['unit', 'int', 'e2e']

const { projects, rest } = readArguments(process.argv.slice(2))
const counts = { passed: 0, failed: 0, skipped: 0 }
/** Parts of the paths of test files, as regular expressions. */
const skippedSuites = []
let child = null
let services = null
let isStopped = false
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    isStopped = true
    child?.kill('SIGTERM')
  })
}

try {
  const env = projects.some((name) => name !== 'unit') ? await serviceEnvironment() : {}
  // Side by side where tests keep apart by themselves; end-to-end tests start and kill whole stacks.
  const parallel = projects.filter((name) => name !== 'e2e')
  if (parallel.length > 0) await runJest(parallel, ['--maxWorkers=2'], env)
  if (projects.includes('e2e') && !isStopped) await runJest(['e2e'], ['--runInBand'], env)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
  counts.failed++
} finally {
  await services?.stop()
}
countSkippedSuites()
process.stdout.write(`\n${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`)
process.exit(counts.failed > 0 || counts.passed === 0 || isStopped ? 1 : 0)

function readArguments(given) {
  const at = given.indexOf('--selectProjects')
  if (at === -1) return { projects: PROJECTS, rest: given }
  const after = given.slice(at + 1)
  const names = after.filter(
    (name, index) =>
      PROJECTS.includes(name) && after.slice(0, index).every((before) => PROJECTS.includes(before)),
  )
  return { projects: names, rest: [...given.slice(0, at), ...after.slice(names.length)] }
}

async function serviceEnvironment() {
  const { TEST_DATABASE_URL: databaseUrl, TEST_KAFKA_BROKERS: brokers } = process.env
  const { prepareTargets, startThrowawayServices } = await import('./dist/index.js')
  skipWithout(await prepareTargets((line) => process.stdout.write(`${line}\n`)))
  if (databaseUrl && brokers) return {}
  services = await startThrowawayServices({ isFast: true, say: (line) => process.stdout.write(`${line}\n`) })
  return { TEST_DATABASE_URL: services.postgres.url, TEST_KAFKA_BROKERS: services.kafka.brokers }
}

/** Each skipped file that was asked for counts as one test. */
function countSkippedSuites() {
  const asked = rest.filter((one) => !one.startsWith('-')).map((one) => new RegExp(one))
  const kinds = { int: '.int-spec.ts', e2e: '.e2e-spec.ts' }
  const files = globSync('{libs,test}/**/*.{int,e2e}-spec.ts', { cwd: root }).filter(
    (file) =>
      skippedSuites.some((suite) => new RegExp(suite).test(file)) &&
      projects.some((name) => kinds[name] && file.endsWith(kinds[name])) &&
      (asked.length === 0 || asked.some((one) => one.test(file))),
  )
  counts.skipped += files.length
}

/** Says what is missing. Its suites are skipped, but fail where everything must be there. */
function skipWithout(missing) {
  const mustRun = process.env.CI === 'true'
  for (const { reason, suites } of missing) {
    process.stdout.write(`${reason} (${mustRun ? 'fails' : 'skipped'}: ${suites.join(' ')})\n`)
    if (!mustRun) skippedSuites.push(...suites)
  }
}

async function runJest(names, flags, env) {
  const folder = mkdtempSync(join(tmpdir(), 'barnabas-jest-'))
  const outputFile = join(folder, 'result.json')
  const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js')
  const node = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning']
  const own = [
    '--selectProjects',
    ...names,
    ...flags,
    '--passWithNoTests',
    '--json',
    `--outputFile=${outputFile}`,
  ]
  child = spawn(process.execPath, [...node, jest, ...own, ...rest], {
    cwd: root,
    env: { ...process.env, ...env, SKIPPED_SUITES: skippedSuites.join(' ') },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const code = await untilEnded(child, outputFile)
  count(outputFile, code)
  rmSync(folder, { recursive: true, force: true })
}

/** Jest waits for ever for what a test left open, after it has written its result. */
function untilEnded(child, outputFile) {
  let resultSince = null
  const look = setInterval(() => {
    if (!existsSync(outputFile)) return
    resultSince ??= Date.now()
    if (Date.now() - resultSince < LEFT_OPEN_LIMIT_MS) return
    clearInterval(look)
    process.stderr.write(
      'The tests are over, but one of them left a connection, a timer or a process open.\n',
    )
    counts.failed++
    child.kill('SIGKILL')
  }, SECOND_MS)
  return new Promise((resolve) => child.once('exit', resolve)).finally(() => clearInterval(look))
}

/** A suite that could not even be loaded counts as one failure. */
function count(outputFile, code) {
  try {
    const result = JSON.parse(readFileSync(outputFile, 'utf8'))
    counts.passed += result.numPassedTests
    counts.failed += result.numFailedTests + result.numRuntimeErrorTestSuites
    counts.skipped += result.numPendingTests + result.numTodoTests
    if (code !== 0 && counts.failed === 0) counts.failed++
  } catch {
    counts.failed++
  }
}
