import { readFileSync } from 'node:fs'
import { defineDriver } from '../driver.js'
import { secret, template } from '../fields.js'
import { vendorOf } from '../vendor.js'
import { SlackSender } from './slack.sender.js'

/** The guide and the icon lie beside the source, whether this file runs from `src` or from `dist`. */
const asset = (name: string): string =>
  readFileSync(new URL(`../../src/slack/${name}`, import.meta.url), 'utf8')

/** Slack's own hosts only: whoever has the URL could otherwise make us post anywhere. */
const WEBHOOK_URL = /https:\/\/hooks\.slack(?:-gov)?\.com\/[A-Za-z0-9\-_\x2f]+/

/** A message in a Slack channel, by an incoming webhook: https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks */
export const slack = defineDriver({
  type: 'slack',
  label: 'Slack',
  description: 'Posts each event as a message to a Slack channel.',
  instructions: asset('setup.md'),
  icon: asset('icon.svg'),
  config: {
    text_template: template({
      label: 'Text template',
      description:
        'JMESPath expression that gives the text of the message. Empty: topic, event id, time, and the beginning of the data.',
    }),
    header_template: template({
      label: 'Header template',
      description:
        'JMESPath expression that gives a header of up to 150 characters above the text, for example metadata.topic. Empty: no header.',
    }),
  },
  credentials: {
    webhook_url: secret({
      label: 'Webhook URL',
      description:
        'URL of the incoming webhook, https://hooks.slack.com/services/…; whoever has it can post to the channel.',
      pattern: WEBHOOK_URL,
      expected: 'must begin with https://hooks.slack.com/ or https://hooks.slack-gov.com/ and hold no query',
    }),
  },
  target: () => ({ target: 'Slack', targetUrl: null }),
  addresses: () => [],
  open: ({ config, credentials }, tools) =>
    new SlackSender(vendorOf('slack', credentials.webhook_url, tools), config),
})
