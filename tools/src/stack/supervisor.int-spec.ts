import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { eventually } from '@barnabas/testing'
import { freePort } from '../ports.js'
import { Supervisor } from './supervisor.js'

const program = fileURLToPath(new URL('../../../test/fixtures/fake-app.mjs', import.meta.url))

describe('Supervisor', () => {
  let folder: string
  let supervisor: Supervisor
  let said: string[]

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'barnabas-supervisor-'))
    said = []
    supervisor = new Supervisor({ say: (line) => said.push(line) })
  })

  afterEach(async () => {
    await supervisor.stop()
    rmSync(folder, { recursive: true, force: true })
  })

  const journal = (): string[] => readFileSync(join(folder, 'journal'), 'utf8').trim().split('\n')

  async function start(name: string, env: Record<string, string> = {}): Promise<void> {
    const port = await freePort()
    supervisor.start({
      name,
      port,
      program,
      env: { HEALTH_PORT: String(port), JOURNAL: join(folder, 'journal'), NAME: name, ...env },
      onLine: () => undefined,
    })
  }

  it('waits until every app is ready', async () => {
    await start('one')
    await start('two')
    expect(await supervisor.untilReady(10_000)).toBe(true)
    expect(journal().sort()).toEqual(['one started', 'two started'])
  })

  it('starts an app again that was killed, and says so', async () => {
    await start('one')
    await supervisor.untilReady(10_000)
    const first = supervisor.app('one').pid
    await supervisor.app('one').kill9()
    await eventually(() => supervisor.app('one').pid !== first && supervisor.app('one').isReady())
    expect(said).toEqual(['one ended (SIGKILL); it is started again in 0.5 s.'])
  })

  it('waits longer each time before it starts an app that dies at once', async () => {
    await start('one', { DIES_AFTER_MS: '50' })
    await eventually(() => said.length >= 3)
    expect(said.slice(0, 3).map((line) => /in ([\d.]+) s/.exec(line)?.[1])).toEqual(['0.5', '1', '2'])
  })

  it('stops all apps in order and starts none again', async () => {
    await start('one', { STOP_TAKES_MS: '200' })
    await start('two')
    await supervisor.untilReady(10_000)
    await supervisor.stop()
    expect(
      journal()
        .filter((line) => line.endsWith('stopped'))
        .sort(),
    ).toEqual(['one stopped', 'two stopped'])
    expect(said).toEqual([])
  })

  it('restarts an app in order when asked, the old one first, and does not take that for a death', async () => {
    await start('one', { STOP_TAKES_MS: '200' })
    await supervisor.untilReady(10_000)
    await supervisor.restart('one')
    await supervisor.untilReady(10_000)
    expect(journal()).toEqual(['one started', 'one stopping by SIGTERM', 'one stopped', 'one started'])
    expect(said).toEqual([])
  })

  it('reports that an app did not become ready within the time', async () => {
    await start('one', { DIES_AFTER_MS: '1' })
    expect(await supervisor.untilReady(300)).toBe(false)
  })
})
