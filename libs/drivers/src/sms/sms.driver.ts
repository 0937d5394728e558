import { readFileSync } from 'node:fs'
import type { Problem } from '@barnabas/domain'
import { defineDriver } from '../driver.js'
import { secret, template, text } from '../fields.js'
import { vendorOf } from '../vendor.js'
import { SmsSender } from './sms.sender.js'

/** The guide and the icon lie beside the source, whether this file runs from `src` or from `dist`. */
const asset = (name: string): string =>
  readFileSync(new URL(`../../src/sms/${name}`, import.meta.url), 'utf8')

const ORIGIN = 'https://api.twilio.com'
/** ITU-T E.164: at most 15 digits with the country's. */
const E164 = /\+[1-9]\d{1,14}/
/** A number, a short code, or a sender's name of up to 11 letters, digits and spaces, not of digits alone. */
const SENDER = /\+[1-9]\d{1,14}|\d{3,8}|(?=[0-9 ]*[A-Za-z])[A-Za-z0-9 ]{1,11}/
const sid = (prefix: string): RegExp => new RegExp(`${prefix}[0-9a-fA-F]{32}`)

/** A text message by Twilio's API, which others offer too: https://www.twilio.com/docs/messaging/api/message-resource */
export const sms = defineDriver({
  type: 'sms',
  label: 'SMS',
  description: 'Sends each event as a text message to a phone, through Twilio or a service with its API.',
  instructions: asset('setup.md'),
  icon: asset('icon.svg'),
  config: {
    account_sid: text({
      label: 'Account SID',
      description: 'Identifier of the Twilio account: AC and 32 hexadecimal digits.',
      pattern: sid('AC'),
      expected: 'must be AC followed by 32 hexadecimal digits',
    }),
    to: text({
      label: 'To',
      description: 'Phone number that receives the messages, with the country code: +4915112345678.',
      pattern: E164,
      expected: 'must be a phone number such as +4915112345678',
    }),
    from: text({
      label: 'From',
      description: 'Number, short code or sender name of the account. Either this or a messaging service.',
      required: false,
      pattern: SENDER,
      expected: 'must be a phone number such as +4915112345678, a short code, or up to 11 letters and digits',
    }),
    messaging_service_sid: text({
      label: 'Messaging service SID',
      description: 'Messaging service that chooses the sender: MG and 32 hexadecimal digits.',
      required: false,
      pattern: sid('MG'),
      expected: 'must be MG followed by 32 hexadecimal digits',
    }),
    api_key_sid: text({
      label: 'API key SID',
      description: 'API key to sign in with instead of the account: SK and 32 hexadecimal digits.',
      required: false,
      pattern: sid('SK'),
      expected: 'must be SK followed by 32 hexadecimal digits',
    }),
    text_template: template({
      label: 'Text template',
      description:
        'JMESPath expression that gives the text, up to 1,600 characters. Empty: topic, event id, time, and the beginning of the data, 160 characters together.',
    }),
  },
  credentials: {
    auth_token: secret({
      label: 'Auth token',
      description: 'Auth token of the account, or the secret of the API key.',
      maxlength: 128,
    }),
  },
  target: ({ to }) => ({ target: to, targetUrl: null }),
  check: ({ config }): readonly Problem[] => {
    const { from, messaging_service_sid: service } = config
    const path = 'config.from'
    if (from === undefined && service === undefined)
      return [{ path, message: 'is required without config.messaging_service_sid' }]
    if (from !== undefined && service !== undefined)
      return [
        { path, message: 'must not be given together with config.messaging_service_sid; "" clears either' },
      ]
    return []
  },
  addresses: () => [],
  open: ({ config, credentials }, tools) => {
    const { account_sid: account, api_key_sid: user = account } = config
    const vendor = vendorOf('sms', `${ORIGIN}/2010-04-01/Accounts/${account}/Messages.json`, tools)
    return new SmsSender(vendor, config, user, credentials.auth_token)
  },
})
