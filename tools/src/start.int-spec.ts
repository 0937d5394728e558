import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { eventually } from '@barnabas/testing'
import { freePort } from './ports.js'
import { throwawayFolder } from './services/throwaway.js'
import type { RunState } from './stack/data-folder.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const program = (name: string): string => join(root, 'tools', 'dist', `${name}.js`)

/** The environment without what the test runner itself was given. */
const clean = (env: Record<string, string>): NodeJS.ProcessEnv => {
  const { KAFKA_BROKERS: _brokers, DATABASE_URL: _url, ...rest } = process.env
  return { ...rest, LOG_LEVEL: 'warn', PARTITIONS: '2', RETRY_TIERS: '1s', ...env }
}

const runToEnd = (name: string, env: Record<string, string>) =>
  spawnSync(process.execPath, [program(name)], {
    env: clean(env),
    encoding: 'utf8',
    cwd: root,
    timeout: 60_000,
  })

/** Ids of processes whose command line holds the text. */
function processesWith(text: string): number[] {
  const { stdout } = spawnSync('ps', ['-eo', 'pid=,args='], { encoding: 'utf8' })
  return stdout
    .split('\n')
    .filter((line) => line.includes(text) && !line.includes('ps -eo'))
    .map((line) => Number(line.trim().split(' ')[0]))
}

const isAlive = (pid: number): boolean => spawnSync('kill', ['-0', String(pid)]).status === 0

describe('npm start', () => {
  const folders: string[] = []
  const running: ChildProcess[] = []

  afterEach(() => {
    for (const child of running.splice(0)) child.kill('SIGKILL')
  })
  afterAll(() => {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true })
  })

  function newFolder(): string {
    const folder = throwawayFolder('start')
    folders.push(folder)
    return join(folder, 'data')
  }

  function start(env: Record<string, string>): { child: ChildProcess; output: () => string } {
    const child = spawn(process.execPath, [program('start')], {
      env: clean(env),
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    running.push(child)
    let output = ''
    child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()))
    return { child, output: () => output }
  }

  const stateOf = (dataDir: string): RunState =>
    JSON.parse(readFileSync(join(dataDir, 'run.json'), 'utf8')) as RunState

  const pidsOf = ({ apps, services }: RunState): number[] =>
    [...Object.values(apps), ...Object.values(services)].map(({ pid }) => pid)

  async function startedInstance(dataDir: string, env: Record<string, string> = {}) {
    const port = await freePort()
    const instance = start({ DATA_DIR: dataDir, API_PORT: String(port), ...env })
    await eventually(() => instance.output().includes('Barnabas is ready'), { timeoutMs: 90_000 })
    return { ...instance, port, state: stateOf(dataDir) }
  }

  const call = (state: RunState, method: string, path: string) =>
    fetch(`${state.apiUrl}/api/v1${path}`, { method, headers: { authorization: `Bearer ${state.apiKey}` } })

  const createWebhook = async (state: RunState, url: string): Promise<number> => {
    const response = await fetch(`${state.apiUrl}/api/v1/tenants/acme/destinations`, {
      method: 'POST',
      headers: { authorization: `Bearer ${state.apiKey}`, 'content-type': 'application/json' },
      body: JSON.stringify({ type: 'webhook', topics: '*', config: { url } }),
    })
    return response.status
  }

  /** What no destination may be, although targets on this machine are allowed. */
  const ownUrls = ({ apiUrl, databaseUrl, kafkaBrokers, apps }: RunState): string[] => [
    apiUrl,
    `http://localhost:${new URL(apiUrl).port}/`,
    `http://${new URL(databaseUrl).host}/`,
    `http://${kafkaBrokers}/`,
    ...Object.values(apps).map(({ metricsPort }) => `http://127.0.0.1:${metricsPort}/metrics`),
  ]

  it('runs two instances side by side, keeps their data over a restart, and leaves nothing behind', async () => {
    const [one, two] = [newFolder(), newFolder()]
    const elsewhere = { LISTEN_HOST: '127.0.0.2' }
    const [first, second] = await Promise.all([startedInstance(one), startedInstance(two, elsewhere)])
    expect(second.state.apiUrl).toBe(`http://127.0.0.2:${second.port}`)
    for (const { metricsPort } of Object.values(second.state.apps)) {
      expect((await fetch(`http://127.0.0.2:${metricsPort}/metrics`)).status).toBe(200)
    }
    expect((await call(first.state, 'PUT', '/tenants/acme')).status).toBe(201)
    expect((await call(second.state, 'GET', '/tenants/acme')).status).toBe(404)
    expect(first.output()).toContain('destinations may be on it')
    for (const own of ownUrls(first.state))
      expect([own, await createWebhook(first.state, own)]).toEqual([own, 422])
    expect(await createWebhook(first.state, 'http://127.0.0.1:1/')).toBe(201)
    const third = runToEnd('start', { DATA_DIR: one, API_PORT: '0' })
    expect(third.status).toBe(1)
    expect(third.stderr).toContain('already, as process')
    expect(runToEnd('reset', { DATA_DIR: one })).toMatchObject({ status: 1 })

    first.child.kill('SIGTERM')
    second.child.kill('SIGINT')
    await eventually(() => first.child.exitCode !== null && second.child.exitCode !== null, {
      timeoutMs: 30_000,
    })
    expect(first.output().indexOf('Stopping the apps')).toBeLessThan(
      first.output().indexOf('Stopping the services'),
    )
    for (const pid of [...pidsOf(first.state), ...pidsOf(second.state)]) expect(isAlive(pid)).toBe(false)

    const again = await startedInstance(one)
    expect(again.state.apiKey).toBe(first.state.apiKey)
    expect((await call(again.state, 'GET', '/tenants/acme')).status).toBe(200)
    const { pid } = again.state.apps['router'] ?? { pid: 0 }
    process.kill(pid, 'SIGKILL')
    await eventually(() => again.output().includes('router ended (SIGKILL); it is started again'))
    await eventually(() => stateOf(one).apps['router']?.pid !== pid)

    again.child.kill('SIGKILL')
    const pids = [...pidsOf(again.state), ...pidsOf(stateOf(one))].filter((candidate) => candidate !== pid)
    await eventually(() => pids.every((candidate) => !isAlive(candidate)), { timeoutMs: 30_000 })
    expect(processesWith(one)).toEqual([])

    expect(runToEnd('reset', { DATA_DIR: one })).toMatchObject({ status: 0 })
    expect(existsSync(one)).toBe(false)
  }, 240_000)

  describe('when something is missing', () => {
    let taken: Server
    let takenPort: number

    beforeAll(async () => {
      taken = createServer()
      takenPort = await freePort()
      await new Promise<void>((resolve) => taken.listen(takenPort, '127.0.0.1', resolve))
    })
    afterAll(() => new Promise((resolve) => taken.close(resolve)))

    const nodeFolder = dirname(process.execPath)
    const closed = '127.0.0.1:1'
    const cases: [string, () => Record<string, string>, RegExp][] = [
      [
        'a taken port',
        () => ({ API_PORT: String(takenPort) }),
        /API_PORT is \d+, where something listens already/,
      ],
      ['a data folder below a file', () => ({ DATA_DIR: '/dev/null/data' }), /DATA_DIR is .*cannot be used/],
      // Node's recursive mkdir tries for ever where the system refuses a folder with ENOENT.
      ['a data folder in /proc', () => ({ DATA_DIR: '/proc/data/x' }), /DATA_DIR is .*cannot be used/],
      ['no Java', () => ({ PATH: nodeFolder }), /openjdk-17-jre-headless/],
      [
        'an unreachable Kafka',
        () => ({ KAFKA_BROKERS: closed }),
        /KAFKA_BROKERS is 127\.0\.0\.1:1, and none/,
      ],
      [
        'an unreachable PostgreSQL',
        () => ({ DATABASE_URL: `postgres://me:hidden@${closed}/x` }),
        /DATABASE_URL names a PostgreSQL at 127\.0\.0\.1:1 that cannot be used/,
      ],
      [
        'wrong settings',
        () => ({ API_PORT: 'many', RETRY_TIERS: '5q', LANE_LIMIT: '0', LOG_RETENTION_DAYS: '-1' }),
        // Once only the supervisor's own were told; the apps then told theirs one by one, and died again and again.
        /(?=[\s\S]*API_PORT is "many")(?=[\s\S]*RETRY_TIERS is "5q")(?=[\s\S]*LANE_LIMIT is "0")(?=[\s\S]*LOG_RETENTION_DAYS is "-1")/,
      ],
    ]

    it.each(cases)(
      'says what to do about %s, in one message without a stack, and exits with 1',
      (_name, env, message) => {
        const { status, stderr } = runToEnd('start', { DATA_DIR: newFolder(), API_PORT: '0', ...env() })
        expect(stderr).toMatch(message)
        expect(stderr).not.toMatch(/^\s+at /m)
        expect(stderr).not.toContain('hidden')
        expect(status).toBe(1)
      },
    )

    it('does not take a folder of somebody else for its own', () => {
      const folder = mkdtempSync('/tmp/barnabas-foreign-')
      folders.push(folder)
      writeFileSync(join(folder, 'letter.txt'), 'dear …')
      expect(runToEnd('start', { DATA_DIR: folder, API_PORT: '0' }).stderr).toMatch(
        /holds files of something else/,
      )
      expect(runToEnd('reset', { DATA_DIR: folder }).stderr).toMatch(/nothing was removed/)
      expect(existsSync(join(folder, 'letter.txt'))).toBe(true)
    })
  })
})
