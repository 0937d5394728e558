import { readFileSync } from 'node:fs'
import { defineDriver } from '../driver.js'
import { secret, select, template } from '../fields.js'
import { vendorOf } from '../vendor.js'
import { PagerDutySender } from './pagerduty.sender.js'

/** The guide and the icon lie beside the source, whether this file runs from `src` or from `dist`. */
const asset = (name: string): string =>
  readFileSync(new URL(`../../src/pagerduty/${name}`, import.meta.url), 'utf8')

/** https://support.pagerduty.com/main/docs/service-regions: an account lives in one of them. */
const HOSTS = { us: 'events.pagerduty.com', eu: 'events.eu.pagerduty.com' } as const

/** Alerts by the Events API v2: https://developer.pagerduty.com/docs/events-api-v2-overview */
export const pagerduty = defineDriver({
  type: 'pagerduty',
  label: 'PagerDuty',
  description: 'Triggers, acknowledges and resolves PagerDuty alerts.',
  instructions: asset('setup.md'),
  icon: asset('icon.svg'),
  config: {
    region: select(['us', 'eu'], {
      label: 'Region',
      description: 'Service region of the PagerDuty account.',
      default: 'us',
      labels: { us: 'US', eu: 'EU' },
    }),
    action_template: template({
      label: 'Action template',
      description: 'JMESPath expression that gives trigger, acknowledge or resolve.',
      default: "'trigger'",
    }),
    dedup_key_template: template({
      label: 'Deduplication key template',
      description:
        'JMESPath expression that gives the same text for every event about the same problem, for example data.incident_id; a resolve finds its trigger by it. By event id, each event is a problem of its own.',
      default: 'metadata."event-id"',
    }),
    summary_template: template({
      label: 'Summary template',
      description: 'JMESPath expression that gives the title of the alert, up to 1,024 characters.',
      default: `join(' ', [metadata.topic, metadata."event-id"])`,
    }),
    severity_template: template({
      label: 'Severity template',
      description: 'JMESPath expression that gives critical, error, warning or info.',
      default: "'error'",
    }),
    source_template: template({
      label: 'Source template',
      description: 'JMESPath expression that gives the system that has the problem, for example data.host.',
      default: `metadata."ce-source" || 'barnabas'`,
    }),
    component_template: template({
      label: 'Component template',
      description:
        'JMESPath expression that gives the part of the source that has the problem. Left out where it gives nothing.',
    }),
  },
  credentials: {
    routing_key: secret({
      label: 'Integration key',
      description: 'Integration key (routing key) of an Events API v2 integration, 32 characters.',
      pattern: /[A-Za-z0-9]{32}/,
      expected: 'must be an integration key of 32 letters and digits',
    }),
  },
  target: ({ region }) => ({ target: HOSTS[region], targetUrl: null }),
  addresses: () => [],
  open: ({ config, credentials }, tools) => {
    const vendor = vendorOf('pagerduty', `https://${HOSTS[config.region]}/v2/enqueue`, tools)
    return new PagerDutySender(vendor, credentials.routing_key, config)
  },
})
