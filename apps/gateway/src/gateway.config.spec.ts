import { describe, expect, it } from '@jest/globals'
import { checkCallbackUrl } from './gateway.config.js'

describe('checkCallbackUrl', () => {
  it.each<[string | null, boolean, boolean]>([
    [null, false, true],
    ['https://events.example.com', false, true],
    ['http://127.0.0.1:3333', true, true],
    ['http://127.0.0.1:3333', false, false],
  ])('WEBHOOK_CALLBACK_URL=%s, TARGET_PLAIN_HTTP=%s: %s', (url, isPlain, isFine) => {
    const sentence = checkCallbackUrl({ WEBHOOK_CALLBACK_URL: url, TARGET_PLAIN_HTTP: isPlain })
    if (isFine) expect(sentence).toBeNull()
    else expect(sentence).toMatch(/WEBHOOK_CALLBACK_URL is "http:.*TARGET_PLAIN_HTTP/)
  })
})
