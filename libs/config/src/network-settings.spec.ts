import { describe, expect, it } from '@jest/globals'
import { readSettings } from './settings.js'
import {
  databaseAddress,
  describeNetwork,
  listenAddress,
  networkRoute,
  networkRules,
  targetSettings,
} from './shared-settings.js'

function read(environment: Record<string, string>) {
  const settings = readSettings(targetSettings, environment)
  if (!settings.ok) throw new Error(settings.problems.join('\n'))
  return settings.settings
}

describe('settings of the network', () => {
  it('allow the public internet by TLS when nothing is set', () => {
    expect(networkRules(read({}), [])).toEqual({
      allowedNetworks: [],
      allowedNames: [],
      allowedPorts: [],
      allowsPlainHttp: false,
      deniedAddresses: [],
    })
    expect(networkRoute(read({}))).toEqual({ dnsServers: [], proxyUrl: null })
  })

  it('deny what is ours beside what is named', () => {
    const settings = read({ TARGET_DENIED_ADDRESSES: 'db.internal:5432, [fd00::5]:6379' })
    const own = ['kafka:9092', ...listenAddress('::1', 3333), ...listenAddress('0.0.0.0', 9464)]
    expect(networkRules(settings, own).deniedAddresses).toEqual([
      { host: 'db.internal', port: 5432 },
      { host: 'fd00::5', port: 6379 },
      { host: 'kafka', port: 9092 },
      { host: '::1', port: 3333 },
      { host: '0.0.0.0', port: 9464 },
    ])
  })

  it('know the address of a database, and of no port that the system is to choose', () => {
    expect(databaseAddress('postgres://u:p@db:6543/x')).toEqual(['db:6543'])
    expect(databaseAddress('postgresql://u@[::1]/x')).toEqual(['[::1]:5432'])
    expect(databaseAddress('postgres:///x?host=/run')).toEqual([])
    expect(listenAddress('127.0.0.1', 0)).toEqual([])
  })

  it.each(['10.0.0.2', '10.0.0.2:5353', 'fd00::2', '[fd00::2]:53', '10.0.0.2,10.0.0.3'])(
    'take %s as name servers',
    (given) => {
      expect(read({ TARGET_DNS_SERVERS: given }).TARGET_DNS_SERVERS).toEqual(given.split(','))
    },
  )

  it.each([
    ['TARGET_DNS_SERVERS', 'dns.example'],
    ['TARGET_DNS_SERVERS', '10.0.0.2:0'],
    ['TARGET_DNS_SERVERS', '10.0.0.2:70000'],
    ['TARGET_DNS_SERVERS', '[10.0.0.2]:53'],
    ['TARGET_PROXY_URL', 'https://proxy.example'],
    ['TARGET_PROXY_URL', 'proxy.example:3128'],
    ['TARGET_DENIED_ADDRESSES', 'db.internal'],
    ['TARGET_NETWORKS', '10.0.0.0'],
  ])('refuse %s=%s', (name, given) => {
    expect(readSettings(targetSettings, { [name]: given }).ok).toBe(false)
  })

  it('are told without the login of the proxy', () => {
    const told = describeNetwork(read({ TARGET_PROXY_URL: 'http://user:canary@proxy.example:3128' }))
    expect(told.proxy).toBe('proxy.example:3128')
    expect(JSON.stringify(told)).not.toContain('canary')
  })
})
