import { describe, expect, it } from '@jest/globals'
import { checkConnectionString, readConnectionString } from './azure-servicebus.connection-string.js'

const KEYS = 'SharedAccessKeyName=send;SharedAccessKey=c2VjcmV0PQ=='
const RIGHT = `Endpoint=sb://my-namespace.servicebus.windows.net/;${KEYS}`

describe('readConnectionString', () => {
  it('takes what the portal shows, of a namespace and of an entity', () => {
    const parts = { host: 'my-namespace.servicebus.windows.net', keyName: 'send', key: 'c2VjcmV0PQ==' }
    expect(readConnectionString(RIGHT)).toEqual({ ...parts, entity: null })
    expect(readConnectionString(`${RIGHT};EntityPath=events;`)).toEqual({ ...parts, entity: 'events' })
  })

  it.each([
    ['another host', `Endpoint=sb://example.com/;${KEYS}`],
    ['an address', `Endpoint=sb://169.254.169.254/;${KEYS}`],
    ['a host that only looks right', `Endpoint=sb://a.servicebus.windows.net.example.com/;${KEYS}`],
    ['a user before the host', `Endpoint=sb://a.servicebus.windows.net@10.0.0.1/;${KEYS}`],
    ['a port', `Endpoint=sb://a.servicebus.windows.net:22/;${KEYS}`],
    ['no TLS', `${RIGHT};UseDevelopmentEmulator=true`],
    ['two endpoints', `${RIGHT};Endpoint=sb://b.servicebus.windows.net/`],
    ['no key', 'Endpoint=sb://a.servicebus.windows.net/;SharedAccessKeyName=send'],
    ['a name that objects inherit', `${RIGHT};constructor=x`],
    ['nothing', ';'],
  ])('refuses %s, without showing the key', (_name, value) => {
    const message = checkConnectionString(value)
    expect(message).toMatch(/^must /)
    expect(message).not.toContain('c2VjcmV0')
  })
})
