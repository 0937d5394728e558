import { readFileSync, writeFileSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { drivers, findDriver } from './registry.js'

const CATALOGUE = new URL('catalogue.snapshot.json', import.meta.url)

describe('the registry', () => {
  it('serves the catalogue that was reviewed (UPDATE_DOCS=1 writes it anew)', () => {
    const catalogue = `${JSON.stringify(
      drivers.map((driver) => driver.catalogue),
      null,
      2,
    )}\n`
    if (process.env['UPDATE_DOCS']) writeFileSync(CATALOGUE, catalogue)
    expect(readFileSync(CATALOGUE, 'utf8')).toBe(catalogue)
  })

  it('finds a driver by its type, and no other', () => {
    expect(findDriver('webhook')?.type).toBe('webhook')
    expect(findDriver('constructor')).toBeUndefined()
  })
})

describe('a driver', () => {
  const driver = findDriver('webhook')

  it('names every mistake at once', () => {
    const read = driver?.validate({ config: { URL: 'x' }, credentials: { secret: 7, key: '' } })
    expect(read?.ok ? [] : read?.failure).toEqual([
      { path: 'config.URL', message: 'is not a known field' },
      { path: 'config.url', message: 'is required' },
      { path: 'credentials.key', message: 'is not a known field' },
      { path: 'credentials.secret', message: 'must be a string, in double quotes' },
    ])
  })

  it.each([
    'file:///etc/passwd',
    'http://',
    'http://me:pw@example.com/',
    'example.com',
    `https://e.com/${'x'.repeat(2_048)}`,
  ])('refuses %s as a URL', (url) => {
    const read = driver?.validate({ config: { url }, credentials: { secret: '' } })
    expect(read?.ok ? [] : read?.failure.map(({ path }) => path)).toContain('config.url')
  })

  it('shows where a destination points to, also when what is stored leaves defaults out', () => {
    const bus = findDriver('aws_eventbridge')
    const config = { region: 'eu-west-1' }
    const valid = bus?.validate({ config, credentials: { key: 'k', secret: 's' } })
    expect(valid?.ok && bus?.target(config)).toEqual(valid?.ok && bus?.target(valid.value.config))
  })

  it('makes a secret only when none was given', () => {
    expect(driver?.completeCredentials({}).generated).toEqual(['secret'])
    expect(driver?.completeCredentials({ secret: 'mine' })).toEqual({
      credentials: { secret: 'mine' },
      generated: [],
    })
  })
})
