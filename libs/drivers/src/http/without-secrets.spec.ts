import { describe, expect, it } from '@jest/globals'
import { hiddenIn, withoutSecrets } from './without-secrets.js'

const TOKEN = 'token-of-the-tenant+/='
const answer = (body: string | Buffer, isBodyCut = false, headers: Record<string, string> = {}) => ({
  status: 200,
  headers,
  body: Buffer.from(body),
  isBodyCut,
})
const bodyOf = (body: string, isBodyCut = false, secrets = [TOKEN]) =>
  withoutSecrets(answer(body, isBodyCut), hiddenIn(secrets)).body.toString()

describe('withoutSecrets', () => {
  it('takes a secret out wherever it stands, in the body and in headers', () => {
    const echoed = answer(`a ${TOKEN} b ${TOKEN}`, false, { 'x-got': `Bearer ${TOKEN}` })
    expect(withoutSecrets(echoed, hiddenIn([TOKEN]))).toMatchObject({
      body: Buffer.from('a ******** b ********'),
      headers: { 'x-got': 'Bearer ********' },
    })
  })

  it('takes the longer one out first where one holds the other', () => {
    expect(bodyOf(`Bearer ${TOKEN}`, false, [TOKEN, `Bearer ${TOKEN}`])).toBe('********')
  })

  it('leaves no beginning of one where the answer was cut', () => {
    expect(bodyOf(`a ${TOKEN.slice(0, 12)}`, true)).toBe('a ')
    expect(bodyOf(`a ${TOKEN.slice(0, 12)}`)).toBe(`a ${TOKEN.slice(0, 12)}`)
    expect(bodyOf(`a ${TOKEN.slice(0, 7)}`, true)).toBe(`a ${TOKEN.slice(0, 7)}`)
  })

  it('leaves every other byte as it is', () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
    const whole = Buffer.concat([bytes, Buffer.from(TOKEN), bytes])
    const { body } = withoutSecrets(answer(whole), hiddenIn([TOKEN]))
    expect(body).toEqual(Buffer.concat([bytes, Buffer.from('********'), bytes]))
    expect(withoutSecrets(answer(bytes), hiddenIn([TOKEN])).body).toEqual(bytes)
  })

  it('finds what is not ASCII, and keeps short texts', () => {
    expect(bodyOf('x schlüssel-der-kundin y', false, ['schlüssel-der-kundin'])).toBe('x ******** y')
    expect(bodyOf('a short one', false, ['short'])).toBe('a short one')
  })
})
