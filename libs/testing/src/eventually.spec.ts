import { describe, expect, it, jest } from '@jest/globals'
import { eventually } from './eventually.js'

describe('eventually', () => {
  it('tells what was seen last', async () => {
    await expect(eventually(() => false, { timeoutMs: 60, intervalMs: 10 })).rejects.toThrow(
      /^not within 60 ms; last seen: false$/,
    )
  })

  // A retry seemed 20 s late once, and nobody could tell whether the machine had stood still.
  it('tells that its own time was missing', async () => {
    const { now } = Date
    let jumpedMs = 0
    jest.spyOn(Date, 'now').mockImplementation(() => now() + jumpedMs)
    setTimeout(() => (jumpedMs = 20_000), 50)
    await expect(eventually(() => false, { timeoutMs: 10_000, intervalMs: 20 })).rejects.toThrow(
      /last seen: false; this process stood still for (19|20)\d{3} ms meanwhile, or its clock jumped$/,
    )
    jest.restoreAllMocks()
  })
})
