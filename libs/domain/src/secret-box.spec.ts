import { randomBytes } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { SecretBox } from './secret-box.js'

const key = (id: string) => ({ id, key: randomBytes(32) })

describe('SecretBox', () => {
  it('opens what it sealed, and seals the same text differently each time', () => {
    const box = new SecretBox([key('k1')])
    const sealed = box.seal('{"secret":"ünïcode"}', 'd_1')
    expect(box.open(sealed, 'd_1')).toBe('{"secret":"ünïcode"}')
    expect(box.seal('{"secret":"ünïcode"}', 'd_1')).not.toBe(sealed)
    expect(sealed).not.toContain('secret')
  })

  it('does not open a value for another owner, nor one that was changed', () => {
    const box = new SecretBox([key('k1')])
    const sealed = box.seal('text', 'd_1')
    expect(() => box.open(sealed, 'd_2')).toThrow()
    const flipped = sealed.slice(0, -2) + (sealed.endsWith('AA') ? 'BB' : 'AA')
    expect(() => box.open(flipped, 'd_1')).toThrow()
  })

  it('opens no text but the one that it made, also where another one would decode to the same bytes', () => {
    const box = new SecretBox([key('k1')])
    const sealed = box.seal('a text', 'd_1')
    for (const other of [
      `${sealed}x`,
      `${sealed}=`,
      `${sealed}.`,
      `${sealed}.x`,
      sealed.replace('.k1.', '.k1. '),
    ])
      expect(() => box.open(other, 'd_1')).toThrow()
    for (let at = 0; at < sealed.length; at++) {
      const changed = sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1)
      expect(() => box.open(changed, 'd_1')).toThrow()
    }
  })

  it('opens with every key of the ring and seals with the first', () => {
    const [old, current] = [key('old'), key('new')]
    const sealed = new SecretBox([old]).seal('text', 'd_1')
    const rotated = new SecretBox([current, old])
    expect(rotated.open(sealed, 'd_1')).toBe('text')
    expect(rotated.seal('text', 'd_1')).toMatch(/^v1\.new\./)
    expect(() => new SecretBox([current]).open(sealed, 'd_1')).toThrow(/SECRET_KEYS has no key "old"/)
  })
})
