import { globSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from '@jest/globals'
import { missingPrograms } from './prepare.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))

describe('missingPrograms', () => {
  const missing = missingPrograms('/nowhere', [])

  it('names the package to install', () => {
    const reasons = missing.map(({ reason }) => reason)
    expect(reasons).toContain('redis-server is not installed: apt-get install redis-server')
    expect(reasons).toContain('mosquitto is not installed: apt-get install mosquitto')
  })

  it('names suites that there are', () => {
    const files = globSync('{libs,test}/**/*.{int,e2e}-spec.ts', { cwd: root })
    for (const suite of missing.flatMap(({ suites }) => suites))
      expect([suite, files.some((file) => new RegExp(suite).test(file))]).toEqual([suite, true])
  })
})
