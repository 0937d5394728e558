import { readFileSync } from 'node:fs'
import type { Problem } from '@barnabas/domain'
import { defineDriver } from '../driver.js'
import { hostPort, readHostPort, secret, select, template, text } from '../fields.js'
import type { Address } from '../network/network.js'
import { authorityField } from '../tls-settings.js'
import { addressesIn, domainOf, isAddress } from './email.message.js'
import { EmailSender } from './email.sender.js'
import { TLS_MODES } from './email.transport.js'

/** The guide and the icon lie beside the source, whether this file runs from `src` or from `dist`. */
const asset = (name: string): string =>
  readFileSync(new URL(`../../src/email/${name}`, import.meta.url), 'utf8')

/** One mail is sent to all of them; longer lists are for the lists of a mail server. */
const MAX_RECIPIENTS = 50
/** Room for as many addresses of common length. */
const MAX_LIST_CHARACTERS = 4_096

function checkRecipients(list: string): string | null {
  const addresses = addressesIn(list)
  if (addresses.length === 0 || addresses.length > MAX_RECIPIENTS)
    return `must have 1 to ${MAX_RECIPIENTS} addresses`
  return addresses.every(isAddress)
    ? null
    : 'must be addresses such as alerts@example.com, with commas between them'
}

/** Of a field that `hostPort` accepted. */
function addressOf(server: string): Address {
  const address = readHostPort(server)
  if (address === null) throw new Error('the server was not validated')
  return address
}

/** Mail by SMTP (RFC 5321), over TLS. */
export const email = defineDriver({
  type: 'email',
  label: 'Email',
  description: 'Sends each event as a mail, through a mail server of your choice.',
  instructions: asset('setup.md'),
  icon: asset('icon.svg'),
  config: {
    server: hostPort({
      label: 'Mail server',
      description:
        'Name and port of the SMTP server: smtp.example.com:587, or port 465 with TLS from the start.',
    }),
    tls: select(TLS_MODES, {
      label: 'TLS',
      description: 'How the connection is encrypted. None only where the operator of this service allows it.',
      default: 'starttls',
      labels: { starttls: 'STARTTLS, required', implicit: 'From the start', none: 'None' },
    }),
    ...authorityField,
    from: text({
      label: 'From',
      description: 'Address of the sender; the mail server must let you send in its name.',
      check: (value) => (isAddress(value) ? null : 'must be an address such as events@example.com'),
    }),
    from_name: text({
      label: 'Name of the sender',
      description: 'Shown beside the address.',
      required: false,
      maxlength: 100,
    }),
    to: text({
      label: 'To',
      description: `Addresses that receive the mails, with commas between them; up to ${MAX_RECIPIENTS}. They see each other.`,
      maxlength: MAX_LIST_CHARACTERS,
      check: checkRecipients,
    }),
    subject_template: template({
      label: 'Subject template',
      description: 'JMESPath expression that gives the subject.',
      default: `join(' ', [metadata.topic, metadata."event-id"])`,
    }),
    text_template: template({
      label: 'Text template',
      description:
        'JMESPath expression that gives the text. Empty: topic, event id, time, and the beginning of the data.',
    }),
  },
  credentials: {
    username: text({
      label: 'User name',
      description: 'For servers that want a login.',
      required: false,
      maxlength: 255,
    }),
    password: secret({
      label: 'Password',
      description: 'Password, app password or API key that belongs to the user name.',
      required: false,
      maxlength: 1_024,
    }),
  },
  target: ({ to }) => ({ target: to, targetUrl: null }),
  check: ({ credentials: { username, password } }): readonly Problem[] => {
    if ((username === undefined) === (password === undefined)) return []
    const [missing, given] = username === undefined ? ['username', 'password'] : ['password', 'username']
    return [{ path: `credentials.${missing}`, message: `is required with credentials.${given}` }]
  },
  addresses: ({ config }) => [
    { path: 'config.server', ...addressOf(config.server), isPlainHttp: config.tls === 'none' },
  ],
  open: ({ config, credentials: { username, password } }, { network }) => {
    const { from: address, from_name: name = '', ca_certificate: authority } = config
    const server = {
      address: addressOf(config.server),
      mode: config.tls,
      name: domainOf(address),
      ...(authority === undefined ? {} : { authority }),
      ...(username === undefined || password === undefined
        ? {}
        : { login: { user: username, pass: password } }),
    }
    const envelope = { from: { name, address }, to: addressesIn(config.to) }
    return new EmailSender(server, envelope, config, network)
  },
})
