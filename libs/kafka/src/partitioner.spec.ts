import { createRequire } from 'node:module'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { murmur2, partitionOf } from './partitioner.js'

const require = createRequire(import.meta.url)
const theirs = require('kafkajs/src/producer/partitioners/default/murmur2') as (key: Buffer) => number

describe('murmur2', () => {
  it("is that of Kafka's default partitioner", () => {
    // Vectors of Kafka's own UtilsTest.
    expect(['21', 'foobar', 'a-little-bit-long-string'].map((key) => murmur2(Buffer.from(key)))).toEqual([
      -973932308, -790332482, -985981536,
    ])
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const key = Buffer.from(bytes)
        expect(murmur2(key)).toBe(theirs(key) | 0)
      }),
      { numRuns: 1_000 },
    )
  })
})

describe('partitionOf', () => {
  it('spreads keys over all partitions and stays within them', () => {
    const counts = new Array<number>(8).fill(0)
    for (let index = 0; index < 8_000; index++) {
      const partition = partitionOf(`key-${index}`, 8)
      counts[partition] = (counts[partition] ?? 0) + 1
    }
    expect(counts).toHaveLength(8)
    for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(200)
  })
})
