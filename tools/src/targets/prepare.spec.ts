import { existsSync, globSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import { missingPrograms } from './prepare.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))

describe('missingPrograms', () => {
  // Redis is the one of them that no folder of servers has, so that an empty PATH hides it everywhere.
  it('names the package to install, and suites that there are', () => {
    if (existsSync('/usr/sbin/redis-server') || existsSync('/usr/local/sbin/redis-server')) return
    const redis = missingPrograms('/nowhere').find(({ reason }) => reason.includes('redis-server'))
    expect(redis?.reason).toBe('redis-server is not installed: apt-get install redis-server')
    const files = globSync('{libs,test}/**/*.{int,e2e}-spec.ts', { cwd: root })
    for (const suite of redis?.suites ?? [])
      expect(files.filter((file) => new RegExp(suite).test(file))).not.toEqual([])
  })
})
