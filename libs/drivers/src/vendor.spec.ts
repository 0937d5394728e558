import { describe, expect, it } from '@jest/globals'
import { Network } from './network/network.js'
import { vendorOf } from './vendor.js'

const network = new Network({
  allowedNetworks: [],
  allowedNames: [],
  allowedPorts: [443],
  allowsPlainHttp: false,
})
const at = (endpoints: Record<string, string>) =>
  vendorOf('slack', 'https://vendor.example/a?b=1', {
    network,
    endpoints: new Map(Object.entries(endpoints)),
  })

describe('vendorOf', () => {
  it('is the vendor, by the network of all destinations, unless the operator says otherwise', () => {
    expect(at({ sms: 'http://127.0.0.1:1' })).toEqual({ url: 'https://vendor.example/a?b=1', network })
  })

  it("asks for the same at the operator's endpoint, which may be anywhere", async () => {
    const { url, network: own } = at({ slack: 'http://127.0.0.1:8080/slack/' })
    expect(url).toBe('http://127.0.0.1:8080/slack/a?b=1')
    expect(await own.allows({ host: '127.0.0.1', port: 8080 })).toBe(true)
    expect(await network.allows({ host: '127.0.0.1', port: 8080 })).toBe(false)
  })
})
