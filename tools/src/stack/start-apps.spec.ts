import { describe, expect, it } from '@jest/globals'
import { allowsLoopbackTargets } from './start-apps.js'

describe('allowsLoopbackTargets', () => {
  it.each<[Record<string, string>, boolean]>([
    [{}, true],
    [{ LISTEN_HOST: '127.0.0.1' }, true],
    [{ LISTEN_HOST: '::1' }, true],
    [{ LISTEN_HOST: '127.0.0.1', TARGET_NETWORKS: '10.0.0.0/8' }, false],
    [{ TARGET_PLAIN_HTTP: 'false' }, false],
    [{ LISTEN_HOST: '0.0.0.0' }, false],
    [{ LISTEN_HOST: '::' }, false],
    [{ LISTEN_HOST: '192.168.1.5' }, false],
  ])('%j: %s', (env, expected) => {
    expect(allowsLoopbackTargets(env)).toBe(expected)
  })
})
