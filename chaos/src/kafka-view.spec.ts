import { expect, it } from '@jest/globals'
import { javaHashCode } from './kafka-view.js'

it.each([
  ['', 0],
  ['a', 97],
  ['hello', 99_162_322],
  ['polygenelubricants', -2_147_483_648],
])('hashes %j as Java does', (text, hash) => {
  expect(javaHashCode(text)).toBe(hash)
})
