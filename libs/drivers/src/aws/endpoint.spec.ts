import { describe, expect, it } from '@jest/globals'
import { testTools } from '../testing/test-tools.js'
import { endpointOf, regionOfArn, regionOfUrls } from './endpoint.js'

describe('endpointOf', () => {
  const tools = testTools({ aws_sqs: 'http://10.0.0.9:4566' })

  it("dials the tenant's own address under the rules of the network", () => {
    const { url, network } = endpointOf('aws_sqs', 'https://example.com:9324/sqs/?a=1#b', tools)
    expect([url, network]).toEqual(['https://example.com:9324/sqs', tools.network])
  })

  it.each([undefined, 'https://sqs.eu-west-1.amazonaws.com/1/q'])(
    "dials the operator's endpoint in place of AWS (%s), by no rule",
    async (named) => {
      const { url, network } = endpointOf('aws_sqs', named, tools)
      expect(url).toBe('http://10.0.0.9:4566')
      expect(await network.allows({ host: '10.0.0.9', port: 4566 })).toBe(true)
      expect(await tools.network.allows({ host: '10.0.0.9', port: 4566 })).toBe(false)
    },
  )

  it.each([
    'https://amazonaws.com.example.com/q',
    'http://169.254.169.254/latest',
    'http://notamazonaws.com/',
  ])('takes %s for no address of AWS', (named) => {
    expect(endpointOf('aws_sqs', named, tools).network).toBe(tools.network)
  })
})

describe('regionOfUrls', () => {
  it.each([
    ['https://sqs.eu-west-1.amazonaws.com/1/q', 'eu-west-1'],
    ['https://sqs.us-gov-west-1.amazonaws.com/1/q', 'us-gov-west-1'],
    ['https://sqs.cn-north-1.amazonaws.com.cn/1/q', 'cn-north-1'],
    ['https://vpce-1-a.sqs.ap-southeast-5.vpce.amazonaws.com/1/q', 'ap-southeast-5'],
    ['https://queue.amazonaws.com/1/q', 'us-east-1'],
    ['http://localhost:9324/1/q', 'us-east-1'],
  ])('%s → %s', (url, region) => {
    expect(regionOfUrls([url])).toBe(region)
  })

  it('prefers the queue to the endpoint, and either to none', () => {
    const [queue, vpc] = [
      'https://sqs.eu-west-1.amazonaws.com/1/q',
      'https://x.sqs.eu-west-2.vpce.amazonaws.com',
    ]
    expect(regionOfUrls([queue, vpc])).toBe('eu-west-1')
    expect(regionOfUrls(['http://queue.example.com/1/q', vpc])).toBe('eu-west-2')
  })
})

describe('regionOfArn', () => {
  it('reads the fourth part', () => {
    expect(regionOfArn('arn:aws:sns:eu-west-1:123456789012:events')).toBe('eu-west-1')
    expect(regionOfArn('events')).toBeUndefined()
  })
})
