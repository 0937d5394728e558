import { describe, expect, it } from '@jest/globals'
import { addressesInHosts } from './resolver.js'

const HOSTS = `
# local
127.0.0.1   localhost
10.0.0.5    DB.example db # the old one
10.0.0.6	db.example
fd00::5     db.example
not-an-address db.example
192.0.2.1#db.example
`

describe('addressesInHosts', () => {
  it('finds all addresses of a name, in any case, and no comments', () => {
    expect(addressesInHosts(HOSTS, 'db.example')).toEqual([
      { address: '10.0.0.5', family: 4 },
      { address: '10.0.0.6', family: 4 },
      { address: 'fd00::5', family: 6 },
    ])
    expect(addressesInHosts(HOSTS, 'db')).toEqual([{ address: '10.0.0.5', family: 4 }])
  })

  it.each(['example', 'the', 'old', '', '127.0.0.1', '#'])('finds nothing for %s', (name) => {
    expect(addressesInHosts(HOSTS, name)).toEqual([])
  })
})
