import { describe, expect, it } from '@jest/globals'
import { canonicalHost, isForbiddenName, isListedName, isLoopbackName } from './names.js'

describe('canonicalHost', () => {
  it.each<[string, string | null]>([
    ['Example.COM', 'example.com'],
    ['example.com.', 'example.com'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['ⓛocalhost', 'localhost'],
    ['a_b.example', 'a_b.example'],
    ['127.1', '127.0.0.1'],
    ['2130706433', '127.0.0.1'],
    ['0177.0.0.1', '127.0.0.1'],
    ['0x7f.1', '127.0.0.1'],
    ['①②⑦.⓪.⓪.①', '127.0.0.1'],
    ['127。0。0。1', '127.0.0.1'],
    ['127.0.0.1.', '127.0.0.1'],
    ['::1', '::1'],
    ['256.1.1.1', null],
    ['a/b', null],
    ['a@b', null],
    ['a:80', null],
    ['[::1]', null],
    ['a b', null],
    ['.', null],
    ['', null],
  ])('%s is %s', (host, expected) => {
    expect(canonicalHost(host)).toBe(expected)
  })
})

describe('isForbiddenName', () => {
  it.each([
    'localhost',
    'a.localhost',
    'printer.local',
    'db.internal',
    'metadata.google.internal',
    'metadata.amazonaws.com',
    'api.default.svc',
    'api.default.svc.cluster.local',
  ])('is true for %s', (name) => {
    expect(isForbiddenName(name)).toBe(true)
  })

  it.each(['example.com', 'localhost.example.com', 'internal.example', 'notlocal', 'svc'])(
    'is false for %s',
    (name) => {
      expect(isForbiddenName(name)).toBe(false)
    },
  )
})

describe('isListedName', () => {
  it('takes names in any writing, and what ends as said', () => {
    const list = ['LocalHost.', '*.svc']
    expect(['localhost', 'api.default.svc'].map((name) => isListedName(name, list))).toEqual([true, true])
    expect(['a.localhost', 'svc', 'api.svc.evil'].map((name) => isListedName(name, list))).toEqual([
      false,
      false,
      false,
    ])
  })
})

describe('isLoopbackName', () => {
  it('knows localhost and what is below it', () => {
    expect(['localhost', 'a.localhost', 'localhost.example'].map(isLoopbackName)).toEqual([true, true, false])
  })
})
