import { describe, expect, it } from '@jest/globals'
import { PHASE_NAMES, readOptions } from './options.js'

describe('readOptions', () => {
  it('runs every phase in full when nothing is said', () => {
    expect(readOptions([])).toEqual({
      phases: PHASE_NAMES,
      isQuick: false,
      isRecorded: false,
      typeNames: [],
      isProfiled: false,
    })
  })

  it('runs the phases that are named, in the order of the program and each once', () => {
    const options = readOptions(['scale', '--quick', 'latency', 'scale'])
    expect(options).toMatchObject({ phases: ['latency', 'scale'], isQuick: true, isRecorded: false })
  })

  it('measures the destination types that are named, each with a profile when that is asked for', () => {
    const options = readOptions(['types', '--types=kafka,nats', '--types=mqtt', '--profile'])
    expect(options).toMatchObject({
      phases: ['types'],
      typeNames: ['kafka', 'nats', 'mqtt'],
      isProfiled: true,
    })
  })

  it.each([['--fast'], ['thruput']])('refuses %s, and lists what there is', (arg) => {
    expect(readOptions([arg])).toEqual({
      mistake: expect.stringContaining('matching, types, throughput, latency'),
    })
  })

  it('refuses a destination type that there is not', () => {
    expect(readOptions(['types', '--types=kafka,fax'])).toEqual({
      mistake: expect.stringContaining('"fax" is none of the destination types'),
    })
  })

  it('does not record what a quick run measured', () => {
    expect(readOptions(['--quick', '--record'])).toHaveProperty('mistake')
  })
})
