import { describe, expect, it } from '@jest/globals'
import { PHASE_NAMES, readOptions } from './options.js'

describe('readOptions', () => {
  it('runs every phase in full when nothing is said', () => {
    expect(readOptions([])).toEqual({ phases: PHASE_NAMES, isQuick: false, isRecorded: false })
  })

  it('runs the phases that are named, in the order of the program and each once', () => {
    const options = readOptions(['scale', '--quick', 'latency', 'scale'])
    expect(options).toEqual({ phases: ['latency', 'scale'], isQuick: true, isRecorded: false })
  })

  it.each([['--fast'], ['thruput']])('refuses %s, and lists what there is', (arg) => {
    expect(readOptions([arg])).toEqual({ mistake: expect.stringContaining('matching, throughput, latency') })
  })

  it('does not record what a quick run measured', () => {
    expect(readOptions(['--quick', '--record'])).toHaveProperty('mistake')
  })
})
