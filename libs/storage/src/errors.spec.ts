import { describe, expect, it } from '@jest/globals'
import { QueryFailedError } from 'typeorm'
import { isDataError, isTextRefused, isUnavailable } from './errors.js'

const withCode = (code: string): Error => Object.assign(new Error('failed'), { code })
const wrapped = (driverError: Error): Error => new QueryFailedError('SELECT 1', [], driverError)

describe('isUnavailable', () => {
  it.each([
    ['ECONNREFUSED', 'nobody listens'],
    ['ECONNRESET', 'the connection broke'],
    ['EPIPE', 'the connection broke while writing'],
    ['ETIMEDOUT', 'nobody answers'],
    ['EHOSTUNREACH', 'the host is down'],
    ['ENETUNREACH', 'the network is down'],
    ['EAI_AGAIN', 'the name server is down'],
    ['ENOTFOUND', 'the name is not known yet'],
    ['08006', 'the connection failed'],
    ['57P01', 'an operator ends the server'],
    ['57P02', 'the server crashed'],
    ['57P03', 'the server starts'],
    ['57P05', 'the session was idle for too long'],
    ['53300', 'too many connections'],
    ['53100', 'the disk is full'],
    ['53200', 'no memory is left'],
    ['25006', 'a standby that was not promoted yet'],
    ['57014', 'the statement took too long'],
    ['55P03', 'a lock was not to be had'],
    ['40001', 'the transaction lost a race'],
    ['40P01', 'a deadlock'],
    ['42P01', 'the tables were not made yet'],
  ])('holds for %s: %s', (code) => {
    expect(isUnavailable(withCode(code))).toBe(true)
    expect(isUnavailable(wrapped(withCode(code)))).toBe(true)
    expect(isUnavailable(new Error('outer', { cause: withCode(code) }))).toBe(true)
    expect(isUnavailable(new AggregateError([new Error('x'), withCode(code)]))).toBe(true)
  })

  it.each([
    'Connection terminated',
    'Connection terminated unexpectedly',
    'Connection terminated due to connection timeout',
    'timeout exceeded when trying to connect',
    'timeout expired',
    'Query read timeout',
    'Client was closed and is not queryable',
    'Client has encountered a connection error and is not queryable',
  ])('holds for an error without a code: %s', (message) => {
    expect(isUnavailable(new Error(message))).toBe(true)
    expect(isUnavailable(wrapped(new Error(message)))).toBe(true)
  })

  it.each(['22012', '22021', '23505', '42601', '42703', '28P01', '3D000', '54000'])(
    'does not hold for %s',
    (code) => {
      expect(isUnavailable(withCode(code))).toBe(false)
      expect(isUnavailable(wrapped(withCode(code)))).toBe(false)
    },
  )

  // Broke before: what was thrown as a text was its own cause, and the check never ended.
  it.each([['a text'], [null], [undefined], [42], [{}], [{ cause: {} }], [new Error('x')]])(
    'does not hold for %p, and ends',
    (thrown) => {
      expect(isUnavailable(thrown)).toBe(false)
    },
  )
})

describe('isDataError', () => {
  it('holds for what the data are refused for, and nothing else', () => {
    const codes = ['22021', '22P02', '22003', '23502', '23505', '54000']
    expect(codes.filter((code) => isDataError(wrapped(withCode(code))))).toEqual(codes)
    const others = ['40001', '42P01', '57014', '53100', '54001', '2200', 'ECONNREFUSED', '25006']
    expect(others.filter((code) => isDataError(wrapped(withCode(code))))).toEqual([])
  })

  it('is never unavailability at the same time', () => {
    for (const code of ['22021', '23502', '54000']) expect(isUnavailable(withCode(code))).toBe(false)
  })
})

describe('isTextRefused', () => {
  it('holds for NUL only', () => {
    expect(isTextRefused(wrapped(withCode('22021')))).toBe(true)
    expect(isTextRefused(wrapped(withCode('22P02')))).toBe(false)
    expect(isTextRefused('22021')).toBe(false)
  })
})
