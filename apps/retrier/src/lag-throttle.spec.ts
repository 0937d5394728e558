import { describe, expect, it } from '@jest/globals'
import { LagThrottle } from './lag-throttle.js'

const MAX_LAG = 2_000

function throttleOn(lag: () => Promise<readonly number[]>): { throttle: LagThrottle; lines: string[] } {
  const lines: string[] = []
  const write = (_fields: object, message: string) => void lines.push(message)
  const log = { debug: write, info: write, warn: write, error: write }
  return { throttle: new LagThrottle({ kafkaTopic: 'deliveries', maxLag: MAX_LAG, lag }, log), lines }
}

/** How many of 10,000 records the throttle lets through. */
function admitted(throttle: LagThrottle, partition: number, kafkaTopic = 'deliveries'): number {
  let count = 0
  while (count < 10_000 && throttle.admits({ kafkaTopic, partition })) count++
  return count
}

describe('LagThrottle', () => {
  it('fills each partition up to the bound after each measurement, and trickles above it', async () => {
    const { throttle } = throttleOn(() => Promise.resolve([0, 1_500, 2_000, 9_000]))
    for (let round = 0; round < 2; round++) {
      await throttle.measure()
      expect([0, 1, 2, 3].map((partition) => admitted(throttle, partition))).toEqual([2_000, 500, 2, 2])
    }
  })

  it('holds up nothing that goes elsewhere', async () => {
    const { throttle } = throttleOn(() => Promise.resolve([9_000]))
    await throttle.measure()
    expect(admitted(throttle, 0, 'delay.5s')).toBe(10_000)
  })

  it('resumes by itself when the readers have caught up, and says both once', async () => {
    const lags = [[9_000], [9_500], [100], [50]]
    const { throttle, lines } = throttleOn(() => Promise.resolve(lags.shift() ?? []))
    await throttle.measure()
    await throttle.measure()
    expect(admitted(throttle, 0)).toBe(2)
    await throttle.measure()
    expect(admitted(throttle, 0)).toBe(1_900)
    await throttle.measure()
    expect(lines).toEqual(['retrier.slowed', 'retrier.resumed'])
  })

  it('slows nothing that it knows nothing about, and says so once when that lasts', async () => {
    let isAway = false
    const { throttle, lines } = throttleOn(() =>
      isAway ? Promise.reject(new Error('no broker')) : Promise.resolve([9_000]),
    )
    expect(admitted(throttle, 0)).toBe(MAX_LAG)
    await throttle.measure()
    isAway = true
    for (let failure = 1; failure < 5; failure++) await throttle.measure()
    expect(admitted(throttle, 0)).toBe(MAX_LAG)
    expect(lines).toEqual(['retrier.slowed'])
    for (let failure = 5; failure < 8; failure++) await throttle.measure()
    expect(lines).toEqual(['retrier.slowed', 'retrier.lag_unknown'])
  })

  it('asks one question at a time', async () => {
    let asked = 0
    let answer: (lags: number[]) => void = () => undefined
    const { throttle } = throttleOn(() => {
      asked++
      return new Promise((resolve) => (answer = resolve))
    })
    const first = throttle.measure()
    await throttle.measure()
    expect(asked).toBe(1)
    answer([0])
    await first
    void throttle.measure()
    expect(asked).toBe(2)
  })
})
