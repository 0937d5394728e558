import { describe, expect, it } from '@jest/globals'
import { readProxy } from './proxy.js'

describe('readProxy', () => {
  it.each<[string, string, number]>([
    ['http://proxy.example:3128', 'proxy.example', 3128],
    ['http://proxy.example', 'proxy.example', 80],
    ['http://[::1]:3128/', '::1', 3128],
  ])('%s', (url, host, port) => {
    expect(readProxy(url)).toEqual({ host, port, authorization: null })
  })

  it('logs in with what the URL says, decoded', () => {
    const { authorization } = readProxy('http://us%40er:p%C3%A4ss@proxy.example')
    expect(authorization).toBe(`Basic ${Buffer.from('us@er:päss').toString('base64')}`)
  })
})
