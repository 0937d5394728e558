import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { builtOnce } from './once.js'

describe('builtOnce', () => {
  const before = process.env['XDG_CACHE_HOME']
  let home: string
  let builds: number

  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'barnabas-once-'))
    process.env['XDG_CACHE_HOME'] = home
    builds = 0
  })

  afterEach(() => {
    if (before === undefined) delete process.env['XDG_CACHE_HOME']
    else process.env['XDG_CACHE_HOME'] = before
    rmSync(home, { recursive: true })
  })

  const build = async (folder: string): Promise<void> => {
    builds++
    writeFileSync(join(folder, 'begun'), '')
    await new Promise((resolve) => setImmediate(resolve))
    writeFileSync(join(folder, 'done'), '')
  }

  it('builds once for all who ask, and gives a complete folder only', async () => {
    const folders = await Promise.all([1, 2, 3].map(() => builtOnce('thing-1', build)))
    expect(new Set(folders)).toEqual(new Set([join(home, 'barnabas', 'thing-1')]))
    expect(readdirSync(folders[0] ?? '').sort()).toEqual(['begun', 'done'])
    await builtOnce('thing-1', build)
    expect(builds).toBe(1)
    expect(readdirSync(join(home, 'barnabas'))).toEqual(['thing-1'])
  })

  it('leaves nothing of a build that failed, and builds again when it is asked again', async () => {
    const failing = (): Promise<void> => Promise.reject(new Error('no network'))
    await expect(builtOnce('thing-1', failing)).rejects.toThrow('no network')
    expect(readdirSync(join(home, 'barnabas'))).toEqual([])
    expect(existsSync(await builtOnce('thing-1', build))).toBe(true)
  })

  it('takes over from a process that was killed while it built', async () => {
    const dead = spawnSync('true').pid
    mkdirSync(join(home, 'barnabas', 'thing-1-unfinished'), { recursive: true })
    writeFileSync(join(home, 'barnabas', 'thing-1-unfinished', 'half'), '')
    writeFileSync(join(home, 'barnabas', 'thing-1.lock'), String(dead))
    expect(readdirSync(await builtOnce('thing-1', build)).sort()).toEqual(['begun', 'done'])
  })
})
